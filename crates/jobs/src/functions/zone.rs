//! Days and hours as a place on Earth cuts them: `local_time(zone, time)` and `day_in(zone, time)`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
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

    /// A day of UTC is a range of time: what is compared with one can be looked for by time, which files have limits of.
    fn preimage(&self, args: &[Expr], day: &Expr, _: &SimplifyContext) -> Result<PreimageResult> {
        let (Zone::Day, [Expr::Literal(zone, _), time]) = (self.what, args) else {
            return Ok(PreimageResult::None);
        };
        let Expr::Literal(ScalarValue::Date32(Some(day)), _) = day else {
            return Ok(PreimageResult::None);
        };
        if constant_zone(zone)? != Some(TimeZone::UTC) {
            return Ok(PreimageResult::None);
        }
        let start =
            |day: i64| ScalarValue::TimestampMicrosecond(Some(day * DAY), Some("UTC".into()));
        let day = i64::from(*day);
        // Beyond these days there are no times.
        if !(i64::MIN / DAY..i64::MAX / DAY).contains(&day) {
            return Ok(PreimageResult::None);
        }
        Ok(PreimageResult::Range {
            expr: time.clone(),
            interval: Box::new(Interval::try_new(start(day), start(day + 1))?),
        })
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (what, of_type) = (self.what, &self.return_type(&[])?);
        let zone = match args.args.first() {
            Some(ColumnarValue::Scalar(value)) => constant_zone(value)?,
            _ => return exec_err!("{} takes the same time zone for all rows", self.name()),
        };
        args.args.remove(0);
        over_arrays(args, |arrays, _| {
            let times = arrays[0].as_primitive::<TimestampMicrosecondType>();
            let Some(zone) = zone else {
                return Ok(arrow::array::new_null_array(of_type, times.len()));
            };
            let mut clock = Clock::new(zone);
            // Of rows without a time, whatever stands in their place.
            let local = times.values().iter().map(|time| clock.local(*time));
            let nulls = times.nulls().cloned();
            Ok(match what {
                Zone::LocalTime => Arc::new(TimestampMicrosecondArray::from_iter_values_with_nulls(
                    local, nulls,
                )) as ArrayRef,
                Zone::Day => {
                    let days = local.map(|time| time.div_euclid(DAY) as i32);
                    Arc::new(Date32Array::from_iter_values_with_nulls(days, nulls))
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
