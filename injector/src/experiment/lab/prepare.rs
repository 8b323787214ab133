//! What is done before the first service starts.

use crate::experiment::{
    action::act,
    lab::{Lab, LabError},
    model::Action,
    variables::Variables,
};

impl Lab {
    /// Does these one after the other, to the first that fails.
    pub(super) async fn prepare(&self, actions: &[Action], variables: &Variables) -> Result<(), LabError> {
        for action in actions {
            let namespaces = self.namespaces(action.inside.as_deref())?;
            act(action, &namespaces, |name| variables.value(name))
                .await
                .map_err(|why| LabError::Prepare { action: action.deed.to_string(), why })?;
        }
        Ok(())
    }
}
