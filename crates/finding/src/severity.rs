//! Severity labels, half-open so that no number falls between two of them.

/// GuardDuty's severity label. Bounds: AWS GuardDuty user guide, "Severity levels"; read as half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    /// Below 1.
    Informational,
    /// [1, 4)
    Low,
    /// [4, 7)
    Medium,
    /// [7, 9)
    High,
    /// 9 and above.
    Critical,
}

impl Label {
    /// The label of a severity number; `None` for NaN.
    pub fn of(severity: f64) -> Option<Label> {
        match severity {
            s if s.is_nan() => None,
            s if s < 1.0 => Some(Label::Informational),
            s if s < 4.0 => Some(Label::Low),
            s if s < 7.0 => Some(Label::Medium),
            s if s < 9.0 => Some(Label::High),
            _ => Some(Label::Critical),
        }
    }

    /// Where the label begins: 7 for [`Label::High`].
    pub fn least(self) -> u8 {
        match self {
            Label::Informational => 0,
            Label::Low => 1,
            Label::Medium => 4,
            Label::High => 7,
            Label::Critical => 9,
        }
    }

    /// `High` for "high", "HIGH", ...; `None` for other words.
    pub fn from_word(word: &str) -> Option<Label> {
        [
            Label::Informational,
            Label::Low,
            Label::Medium,
            Label::High,
            Label::Critical,
        ]
        .into_iter()
        .find(|label| label.as_str().eq_ignore_ascii_case(word.trim()))
    }

    /// The text stored in the lake.
    pub fn as_str(self) -> &'static str {
        match self {
            Label::Informational => "Informational",
            Label::Low => "Low",
            Label::Medium => "Medium",
            Label::High => "High",
            Label::Critical => "Critical",
        }
    }
}
