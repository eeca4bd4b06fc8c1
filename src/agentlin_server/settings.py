"""Every knob of the server, and the only reader of the environment."""

import os
from pathlib import Path
from typing import Annotated, Any, Final, Self

from platformdirs import user_data_path
from pydantic import AliasChoices, BaseModel, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from agentlin_server.domain.errors import AgentlinError

PREFIX: Final = "AGENTLIN_"
DEFAULT_PORT: Final = 9999
_OF_THE_CLIENT: Final = frozenset(
    {"AGENTLIN_API_KEY", "AGENTLIN_BASE_URL", "AGENTLIN_CLIENT_ID", "AGENTLIN_LOG"}
)
"""Variables that the SDK reads; the server has no business with them."""


class SettingsError(AgentlinError):
    """A setting is misspelt or out of its range."""


def default_database() -> Path:
    """Return where tasks are kept if nobody says: in the user's data folder."""
    return user_data_path("agentlin", appauthor=False) / "agentlin.db"


class ProviderSettings(BaseModel, frozen=True, extra="forbid"):
    """One OpenAI-compatible provider."""

    base_url: str = Field(description="URL of its API, e.g. `http://127.0.0.1:8000/v1`")
    api_key: SecretStr | None = Field(default=None, description="its key, if it wants one")


class Settings(BaseSettings):
    """The server's settings; see `load`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        validate_default=True,
    )

    host: str = Field(
        default="127.0.0.1",
        description="address to listen on; loopback only, as there are no keys yet",
    )
    port: int = Field(default=DEFAULT_PORT, ge=0, le=65535, description="port; 0 takes a free one")
    db: str = Field(
        default_factory=lambda: str(default_database()),
        description="database file, or `:memory:`; by default in the user's data folder",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="host names besides loopback that requests may name, separated by commas",
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="origins besides the server's own whose web pages may call, with commas",
    )
    body_size_max: int = Field(
        default=32 * 1024 * 1024, ge=1024, description="largest request body, in bytes"
    )
    running_max: int = Field(
        default=512, ge=1, le=10_000, description="most tasks that run at once"
    )
    waiting_max: int = Field(
        default=10_000, ge=0, description="most tasks that wait; beyond it creates get 429"
    )
    step_max: int = Field(default=50, ge=1, description="most model calls of one task")
    stop_grace_s: float = Field(
        default=10.0, ge=0, le=3600, description="how long a shutdown waits for running tasks"
    )
    timeout_s: float | None = Field(
        default=None,
        gt=0,
        description="how long a task may take if it does not say, in seconds; unset: for ever",
    )
    paused_max_s: float = Field(
        default=24 * 3600.0, gt=0, description="how long a task may be paused, in seconds"
    )
    input_required_max_s: float = Field(
        default=24 * 3600.0,
        gt=0,
        description="how long a task may wait for an answer, in seconds",
    )
    seal_after_s: float = Field(
        default=60.0, ge=0, description="how long after its end a task is compressed, in seconds"
    )
    keep_s: float | None = Field(
        default=None,
        gt=0,
        description="how long after its end a task is removed, in seconds; unset: never",
    )
    keep_alive_s: float = Field(
        default=10.0, gt=0, le=50, description="between signs of life of a long create, in seconds"
    )
    heartbeat_s: float = Field(
        default=15.0, gt=0, le=50, description="between pings of a quiet stream, in seconds"
    )
    model: str | None = Field(
        default=None, description="default model, `provider/model`; unset: what is there is used"
    )
    default_provider: str | None = Field(
        default=None, description="provider of model names without one; unset: the default model's"
    )
    developer_prompt: str = Field(default="", description="the default agent's instructions")
    providers: dict[str, ProviderSettings] = Field(
        default_factory=dict,
        description="more OpenAI-compatible providers, e.g. `AGENTLIN_PROVIDERS__VLLM__BASE_URL`",
    )
    openai_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("openai_api_key", "OPENAI_API_KEY"),
        description="key of the provider `openai`; read from `OPENAI_API_KEY`",
    )
    openai_base_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("openai_base_url", "OPENAI_BASE_URL"),
        description="URL of the provider `openai`; read from `OPENAI_BASE_URL`",
    )
    ollama_base_url: str = Field(
        default="http://127.0.0.1:11434/v1", description="URL of the provider `ollama`"
    )
    model_first_token_s: float = Field(
        default=300.0, gt=0, description="how long a model may take to its first token, in seconds"
    )
    model_idle_s: float = Field(
        default=120.0, gt=0, description="how long it may pause between tokens, in seconds"
    )
    model_connect_s: float = Field(
        default=10.0, gt=0, description="how long connecting to a provider may take, in seconds"
    )
    script: Path | None = Field(
        default=None,
        description="YAML file that the provider `scripted` plays, for tests and demos",
    )
    ledger_dir: Path | None = Field(
        default=None,
        description="folder of the ledger: switches on tools that write there when they run, "
        "for tests and demos",
    )
    models_dir: Path | None = Field(
        default=None, description="folder of local models; by default in the user's cache folder"
    )
    local_context_tokens: int = Field(
        default=4096, ge=256, description="context window of the embedded model"
    )
    log_level: str = Field(
        default="info", pattern="^(debug|info|warning|error)$", description="least level logged"
    )

    @field_validator("allowed_hosts", "allowed_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @classmethod
    def load(cls, **given: Any) -> Self:
        """Read the environment; values that are given win over it.

        Raises:
            SettingsError: a value is out of its range, or an `AGENTLIN_` variable is none of
                the settings (most likely misspelt).
        """
        # Fields with an alias are read under that name only.
        fields = cls.model_fields.items()
        known = {PREFIX + name.upper() for name, one in fields if one.validation_alias is None}
        for name in os.environ:
            if not name.startswith(PREFIX) or name in _OF_THE_CLIENT:
                continue
            setting, is_nested, _ = name.partition("__")
            if setting not in known or (is_nested and setting != f"{PREFIX}PROVIDERS"):
                raise SettingsError(f"the environment variable {name} is no setting of agentlin")
        try:
            return cls(**{key: value for key, value in given.items() if value is not None})
        except ValidationError as exc:
            faults = exc.errors(include_url=False, include_context=False, include_input=False)
            lines = [f"{PREFIX}{'__'.join(map(str, f['loc'])).upper()}: {f['msg']}" for f in faults]
            raise SettingsError("\n".join(lines)) from None

    @property
    def is_in_memory(self) -> bool:
        """True if nothing outlives the process."""
        return self.db == ":memory:"

    @property
    def secrets(self) -> list[str]:
        """Every secret among the settings, to be kept out of what is recorded."""
        keys = [self.openai_api_key, *(one.api_key for one in self.providers.values())]
        return [key.get_secret_value() for key in keys if key is not None]
