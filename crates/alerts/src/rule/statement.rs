//! The SELECT of a rule, looked at as text.

/// placeholder
pub(super) fn normal(sql: &str) -> String {
    sql.to_owned()
}
