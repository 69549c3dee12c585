//! How an alert is told to a person on a terminal.

use std::borrow::Cow;

use crate::Alert;

/// placeholder
pub fn clean(text: &str, max: usize) -> Cow<'_, str> {
    let _ = max;
    Cow::Borrowed(text)
}

/// placeholder
pub fn terminal(alert: &Alert) -> String {
    alert.title.clone()
}
