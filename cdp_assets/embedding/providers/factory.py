"""Opens the provider that the settings, or a registered model, name.

Belongs here: settings -> `ModelSpec` -> `Provider`, and refusing a dimension that the model does not have before any
work. Does not belong here: what a provider does. Importing this module loads no model library.
"""

from __future__ import annotations

import logging

from cdp_assets.embedding.providers import openai, placeholder, vertex
from cdp_assets.embedding.providers.local import LocalProvider
from cdp_assets.embedding.providers.model import ModelSpec, Provider, ProviderMisconfigured
from cdp_assets.embedding.providers.weights import DEFAULT_MODEL, Weights, bundled_weights, find_weights
from cdp_assets.settings import Settings

_log = logging.getLogger(__name__)


def spec_of(settings: Settings) -> ModelSpec:
    """The model that the settings name. No model is loaded; a hub model that is not here yet is downloaded.

    Raises:
        ProviderMisconfigured: there is no such model, or its dimension is not the configured one.
        ProviderUnavailable: the hub cannot be reached.
    """
    wanted = _wanted_dimension(settings)
    name = settings.embed_model_id
    match settings.embedding_provider:
        case "bundled":
            found = bundled_weights().spec
            if name not in {"", found.name}:
                raise ProviderMisconfigured(
                    f"bundled is {found.name}, not {name}: set CDP_EMBEDDING_PROVIDER=sentence-transformers"
                )
        case "sentence-transformers":
            found = find_weights(name or DEFAULT_MODEL, settings.embed_model_revision).spec
        case "openai":
            found = openai.spec(name or openai.DEFAULT_MODEL, wanted)
        case "vertex":
            found = vertex.spec(name or vertex.DEFAULT_MODEL, wanted)
        case "placeholder":
            found = ModelSpec("placeholder", placeholder.NAME, "", wanted or placeholder.DIMENSION)
    if wanted not in {None, found.dimension}:
        raise ProviderMisconfigured(
            f"{found.provider} {found.name} has {found.dimension} dimensions, the settings ask for {wanted}: "
            "correct CDP_PROFILE_EMBED_DIM and CDP_TXN_EMBED_DIM, leave them unset, or choose another model"
        )
    return found


def open_provider(settings: Settings) -> Provider:
    """The provider of the settings; close it with `contextlib.closing`.

    Raises:
        ProviderMisconfigured: a person must change the settings first.
        ProviderUnavailable: the hub cannot be reached.
    """
    return open_spec(spec_of(settings), settings)


def open_spec(spec: ModelSpec, settings: Settings) -> Provider:
    """The provider of a registered model; the settings give keys, addresses and machine choices only.

    Raises:
        ProviderMisconfigured: what the provider now has is another revision or dimension.
        ProviderUnavailable: the hub cannot be reached.
    """
    match spec.provider:
        case "bundled":
            return _local(spec, bundled_weights(), settings)
        case "sentence-transformers":
            return _local(spec, find_weights(spec.name, spec.revision), settings)
        case "openai":
            return openai.OpenAIProvider(spec, settings)
        case "vertex":
            return vertex.VertexProvider(spec, settings)
        case "placeholder":
            _log.warning("the placeholder provider makes vectors without meaning: for tests of plumbing only")
            return placeholder.PlaceholderProvider(spec, settings.embed_batch_size)
    raise ProviderMisconfigured(f"unknown provider {spec.provider!r} of model {spec.name}")


def _local(spec: ModelSpec, weights: Weights, settings: Settings) -> Provider:
    now = weights.spec
    if (now.name, now.revision, now.dimension) != (spec.name, spec.revision, spec.dimension):
        raise ProviderMisconfigured(
            f"{spec.provider} {spec.name}: registered as revision {spec.revision} with {spec.dimension} dimensions, "
            f"the installation has {now.name} {now.revision} with {now.dimension}: register it as a new model "
            "(`cdp embedding models add`), or install the registered one"
        )
    return LocalProvider(spec, weights.folder, settings)


def _wanted_dimension(settings: Settings) -> int | None:
    wanted = {settings.profile_embed_dim, settings.txn_embed_dim} - {None}
    if len(wanted) > 1:
        raise ProviderMisconfigured(
            f"CDP_PROFILE_EMBED_DIM is {settings.profile_embed_dim}, CDP_TXN_EMBED_DIM is {settings.txn_embed_dim}: "
            "one model embeds all entities, so set both alike or leave one unset"
        )
    return wanted.pop() if wanted else None
