//! Days and hours as a place on Earth cuts them: `local_time(zone, time)` and `day_in(zone, time)`.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Date32Array, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility, cast,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use lake::schema::timestamp;

use super::over_arrays;

const DAY: i64 = 86_400_000_000;

/// The functions of this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Zone {
    /// `local_time('Europe/Berlin', event_time)`: what a clock on the wall showed, as a timestamp without a zone.
    LocalTime,
    /// `day_in('Europe/Berlin', event_time)`: the date on the calendar beside it.
    Day,
}

impl Zone {
    pub(crate) const ALL: [Zone; 2] = [Zone::LocalTime, Zone::Day];
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct ZoneFunction {
    what: Zone,
    signature: Signature,
}

impl ZoneFunction {
    pub(crate) fn new(what: Zone) -> ZoneFunction {
        ZoneFunction {
            what,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

/// A zone by its IANA name, capitals or not; the error says what a name looks like.
pub(crate) fn zone(name: &str) -> std::result::Result<TimeZone, String> {
    let name = name.trim();
    if name.is_empty() || name.eq_ignore_ascii_case("utc") {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name).map_err(|_| {
        format!("\"{name}\" is not a time zone: UTC, Europe/Berlin, America/New_York, as the IANA database names them")
    })
}

impl ScalarUDFImpl for ZoneFunction {
    fn name(&self) -> &str {
        match self.what {
            Zone::LocalTime => "local_time",
            Zone::Day => "day_in",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [_, time] if time.is_temporal() || time.is_string() || time.is_null() => {
                Ok(vec![DataType::Utf8, timestamp()])
            }
            _ => plan_err!(
                "{0} takes a time zone and a time: {0}('Europe/Berlin', event_time)",
                self.name()
            ),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.what {
            Zone::LocalTime => DataType::Timestamp(TimeUnit::Microsecond, None),
            Zone::Day => DataType::Date32,
        })
    }

    /// In UTC a plain cast does, which is quicker.
    fn simplify(&self, args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let utc = match args.first() {
            Some(Expr::Literal(value, _)) => constant_zone(value)? == Some(TimeZone::UTC),
            _ => false,
        };
        if utc && self.what == Zone::Day {
            return Ok(ExprSimplifyResult::Simplified(cast(
                args[1].clone(),
                DataType::Date32,
            )));
        }
        Ok(ExprSimplifyResult::Original(args))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let what = self.what;
        let zone = match args.args.first() {
            Some(ColumnarValue::Scalar(value)) => constant_zone(value)?,
            _ => return exec_err!("{} takes the same time zone for all rows", self.name()),
        };
        over_arrays(args, |arrays, _| {
            let times = arrays[1].as_primitive::<TimestampMicrosecondType>();
            let mut clock = zone.map(Clock::new);
            let local = times.iter().map(|time| Some(clock.as_mut()?.local(time?)));
            Ok(match what {
                Zone::LocalTime => {
                    Arc::new(local.collect::<TimestampMicrosecondArray>()) as ArrayRef
                }
                Zone::Day => {
                    let days = local.map(|time| time.map(|time| time.div_euclid(DAY) as i32));
                    Arc::new(days.collect::<Date32Array>())
                }
            })
        })
    }
}

fn constant_zone(value: &ScalarValue) -> Result<Option<TimeZone>> {
    match value.try_as_str().flatten() {
        Some(name) => zone(name).map(Some).or_else(|why| plan_err!("{why}")),
        None => Ok(None),
    }
}

/// A zone that remembers between which changes of its offset the last time lay: times of neighbouring rows are near each other.
struct Clock {
    zone: TimeZone,
    held: std::ops::Range<i64>,
    offset: i64,
}

impl Clock {
    fn new(zone: TimeZone) -> Clock {
        Clock {
            zone,
            held: 0..0,
            offset: 0,
        }
    }

    /// Microseconds UTC as microseconds on the wall. What is out of the calendar's reach (beyond the year 9999) stays as it is.
    fn local(&mut self, time: i64) -> i64 {
        if !self.held.contains(&time) {
            let Ok(at) = Timestamp::from_microsecond(time) else {
                return time;
            };
            self.offset = i64::from(self.zone.to_offset(at).seconds()) * 1_000_000;
            let change = |at: Option<jiff::tz::TimeZoneTransition<'_>>| {
                at.map(|t| t.timestamp().as_microsecond())
            };
            let (next, last) = (
                self.zone.following(at).next(),
                self.zone.preceding(at).next(),
            );
            // A change at this very time has happened already, and `preceding` is strictly before: what lies before may differ.
            let same = last
                .as_ref()
                .is_none_or(|last| last.offset() == self.zone.to_offset(at));
            let start = if same {
                change(last).unwrap_or(i64::MIN)
            } else {
                time
            };
            self.held = start..change(next).unwrap_or(i64::MAX);
        }
        time.saturating_add(self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_whatever_the_order() {
        for name in [
            "Europe/Berlin",
            "America/St_Johns",
            "Asia/Kathmandu",
            "Pacific/Apia",
            "UTC",
        ] {
            let zone = zone(name).unwrap();
            let mut clock = Clock::new(zone.clone());
            // Hours around the changes of 2026 and far from them, there and back.
            let hours: Vec<i64> = (0..9_000).chain((0..9_000).rev().step_by(7)).collect();
            for hour in hours {
                let time = 1_767_225_600_000_000 + hour * 3_600_000_000;
                let at = Timestamp::from_microsecond(time).unwrap();
                let expected = time + i64::from(zone.to_offset(at).seconds()) * 1_000_000;
                assert_eq!(clock.local(time), expected, "{name} {at}");
            }
        }
        assert_eq!(
            Clock::new(zone("Asia/Tokyo").unwrap()).local(i64::MAX),
            i64::MAX
        );
    }
}
