"""The examples of the published client's README (1.14.0), code only, as they stand there."""

from typing import Final

EXAMPLES: Final[dict[str, str]] = {
    "usage": """\
import os
from agentlin_client import Client

client = Client(
    api_key=os.environ.get("AGENTLIN_API_KEY"),  # This is the default and can be omitted
)

task = client.tasks.create(
    stream=False,
    user_message_content=[
        {
            "type": "text",
            "text": "hello",
        }
    ],
)
print(task.id)
""",
    "async": """\
import os
import asyncio
from agentlin_client import AsyncClient

client = AsyncClient(
    api_key=os.environ.get("AGENTLIN_API_KEY"),  # This is the default and can be omitted
)


async def main() -> None:
    task = await client.tasks.create(
        stream=False,
        user_message_content=[
            {
                "type": "text",
                "text": "hello",
            }
        ],
    )
    print(task.id)


asyncio.run(main())
""",
    "aiohttp": """\
import os
import asyncio
from agentlin_client import DefaultAioHttpClient
from agentlin_client import AsyncClient


async def main() -> None:
    async with AsyncClient(
        api_key=os.environ.get("AGENTLIN_API_KEY"),  # This is the default and can be omitted
        http_client=DefaultAioHttpClient(),
    ) as client:
        task = await client.tasks.create(
            stream=False,
            user_message_content=[
                {
                    "type": "text",
                    "text": "hello",
                }
            ],
        )
        print(task.id)


asyncio.run(main())
""",
    "pages": """\
from agentlin_client import Client

client = Client()

all_tasks = []
# Automatically fetches more pages as needed.
for task in client.tasks.list(
    limit=30,
):
    # Do something with task here
    all_tasks.append(task)
print(all_tasks)
""",
    "async_pages": """\
import asyncio
from agentlin_client import AsyncClient

client = AsyncClient()


async def main() -> None:
    all_tasks = []
    # Iterate through items across all pages, issuing requests as needed.
    async for task in client.tasks.list(
        limit=30,
    ):
        all_tasks.append(task)
    print(all_tasks)


asyncio.run(main())
""",
    "pages_by_hand": """\
first_page = await client.tasks.list(
    limit=30,
)
if first_page.has_next_page():
    print(f"will fetch next page using these details: {first_page.next_page_info()}")
    next_page = await first_page.get_next_page()
    print(f"number of items we just fetched: {len(next_page.result)}")

# Remove `await` for non-async usage.
""",
    "page_by_hand": """\
first_page = await client.tasks.list(
    limit=30,
)

print(f"next page cursor: {first_page.starting_after}")  # => "next page cursor: ..."
for task in first_page.result:
    print(task.id)

# Remove `await` for non-async usage.
""",
    "nested": """\
from agentlin_client import Client

client = Client()

task = client.tasks.create(
    stream=True,
    user_message_content="string",
    agent_config={
        "agent_id": "agent_id",
        "code_for_agent": "code_for_agent",
        "code_for_interpreter": "code_for_interpreter",
        "description": "description",
        "developer_prompt": "developer_prompt",
        "max_model_length": 0,
        "max_response_length": 0,
        "model": "model",
        "name": "name",
    },
)
print(task.agent_config)
""",
    "errors": """\
import agentlin_client
from agentlin_client import Client

client = Client()

try:
    client.tasks.create(
        stream=False,
        user_message_content=[
            {
                "type": "text",
                "text": "hello",
            }
        ],
    )
except agentlin_client.APIConnectionError as e:
    print("The server could not be reached")
    print(e.__cause__)  # an underlying Exception, likely raised within httpx.
except agentlin_client.RateLimitError as e:
    print("A 429 status code was received; we should back off a bit.")
except agentlin_client.APIStatusError as e:
    print("Another non-200-range status code was received")
    print(e.status_code)
    print(e.response)
""",
    "retries": """\
from agentlin_client import Client

# Configure the default for all requests:
client = Client(
    # default is 2
    max_retries=0,
)

# Or, configure per-request:
client.with_options(max_retries=5).tasks.create(
    stream=False,
    user_message_content=[
        {
            "type": "text",
            "text": "hello",
        }
    ],
)
""",
    "timeouts": """\
from agentlin_client import Client

# Configure the default for all requests:
client = Client(
    # 20 seconds (default is 1 minute)
    timeout=20.0,
)

# More granular control:
client = Client(
    timeout=httpx.Timeout(60.0, read=5.0, write=10.0, connect=2.0),
)

# Override per-request:
client.with_options(timeout=5.0).tasks.create(
    stream=False,
    user_message_content=[
        {
            "type": "text",
            "text": "hello",
        }
    ],
)
""",
    "null": """\
if response.my_field is None:
  if 'my_field' not in response.model_fields_set:
    print('Got json like {}, without a "my_field" key present at all.')
  else:
    print('Got json like {"my_field": null}.')
""",
    "raw": """\
from agentlin_client import Client

client = Client()
response = client.tasks.with_raw_response.create(
    stream=False,
    user_message_content=[{
        "type": "text",
        "text": "hello",
    }],
)
print(response.headers.get('X-My-Header'))

task = response.parse()  # get the object that `tasks.create()` would have returned
print(task.id)
""",
    "streaming": """\
with client.tasks.with_streaming_response.create(
    stream=False,
    user_message_content=[
        {
            "type": "text",
            "text": "hello",
        }
    ],
) as response:
    print(response.headers.get("X-My-Header"))

    for line in response.iter_lines():
        print(line)
""",
    "undocumented": """\
import httpx

response = client.post(
    "/foo",
    cast_to=httpx.Response,
    body={"my_param": True},
)

print(response.headers.get("x-foo"))
""",
    "http_client": """\
import httpx
from agentlin_client import Client, DefaultHttpxClient

client = Client(
    # Or use the `CLIENT_BASE_URL` env var
    base_url="http://my.test.server.example.com:8083",
    http_client=DefaultHttpxClient(
        proxy="http://my.test.proxy.example.com",
        transport=httpx.HTTPTransport(local_address="0.0.0.0"),
    ),
)
""",
    "http_client_of_a_copy": """\
client.with_options(http_client=DefaultHttpxClient(...))
""",
    "closing": """\
from agentlin_client import Client

with Client() as client:
  # make requests here
  ...

# HTTP client is now closed
""",
    "version": """\
import agentlin_client
print(agentlin_client.__version__)
""",
}
