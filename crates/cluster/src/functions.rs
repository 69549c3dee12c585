//! The functions and settings that scheduler, executors and clients have in common.

use std::sync::Arc;

use ballista_core::extension::SessionConfigExt;
#[cfg(feature = "machines")]
use ballista_core::registry::BallistaFunctionRegistry;
use datafusion::prelude::SessionConfig;
#[cfg(feature = "machines")]
use datafusion::{
    common::Result,
    execution::{SessionState, SessionStateBuilder, runtime_env::RuntimeEnv},
    prelude::SessionContext,
};

use crate::MESSAGE_BYTES;
use crate::codec::Codec;

/// A session's settings as Ballista wants them: no row may depend on what another task of the same process does.
pub(crate) fn settings(config: SessionConfig) -> SessionConfig {
    config
        .upgrade_for_ballista()
        .with_ballista_grpc_client_max_message_size(MESSAGE_BYTES)
        .with_ballista_physical_extension_codec(Arc::new(Codec::default()))
}

/// A session that knows all functions by name, for reading plans of others.
#[cfg(feature = "machines")]
pub(crate) fn state(config: SessionConfig, runtime: Arc<RuntimeEnv>) -> Result<SessionState> {
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .build();
    let mut context = SessionContext::new_with_state(state);
    jobs::register_for_plans(&mut context)?;
    Ok(context.state())
}

/// The same functions by themselves.
#[cfg(feature = "machines")]
pub(crate) fn registry() -> Result<BallistaFunctionRegistry> {
    let state = state(SessionConfig::new(), Arc::default())?;
    Ok(BallistaFunctionRegistry::from(&state))
}
