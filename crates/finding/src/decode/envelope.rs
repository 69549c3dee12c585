//! One JSON object: an envelope, a list of findings, a message, or a finding itself. Which of these is known only at its end,
//! so one pass reads what any of them would need and remembers where the lists and messages are.

use std::borrow::Cow;

use super::framing::Walk;
use super::json::{Cursor, Fault, Key};
use super::native::{Draft, Frame, Outside};
use super::{asff, ocsf, packed};
use crate::{Decoded, Reject, Wrapper};

type Text<'a> = Option<Cow<'a, str>>;

/// What one object said.
#[derive(Default)]
struct Outer<'a> {
    own: Draft<'a>,
    detail: Detail<'a>,
    account: Text<'a>,
    source: Text<'a>,
    detail_type: Text<'a>,
    list: Option<(List, &'a str)>,
    message: Option<Message<'a>>,
    message_type: Text<'a>,
    has_topic: bool,
    is_asff: bool,
    is_ocsf: bool,
}

/// `detail` of an EventBridge event.
#[derive(Default)]
struct Detail<'a> {
    draft: Draft<'a>,
    /// Empty when there is no `detail`.
    raw: &'a str,
    findings: Option<&'a str>,
}

/// Text that holds documents of its own.
enum Message<'a> {
    /// `message` or `Message` of the object itself: believed only in a notification or a log event.
    Own(Cow<'a, str>),
    Sns(Cow<'a, str>),
    /// `body` of an SQS record, or `detail` as text.
    Plain(Cow<'a, str>),
    /// `kinesis.data` or `awslogs.data` of a Lambda event.
    Base64(Cow<'a, str>),
}

/// What a list holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    Findings(Frame),
    Records,
    LogEvents,
    /// An object that holds the interesting object (`data` of recorded API answers).
    Inside,
}

/// Where an object stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    Document,
    Element(Frame),
    LogEvent,
}

/// Reads the document that starts at `pos` and hands out what is in it. Returns its end. Nothing is handed out of a document
/// that is not JSON to its end.
pub(super) fn read_document(walk: &mut Walk<'_>, text: &str, pos: usize) -> Result<usize, Fault> {
    let mut c = Cursor::new(text, pos);
    if c.peek() == b'[' {
        let raw = c.raw()?;
        hand_out_list(walk, List::Findings(Frame::Bare), raw);
    } else {
        let mut outer = Outer::default();
        outer.read(&mut c)?;
        outer.hand_out(walk, c.since(pos), Spot::Document);
    }
    Ok(c.pos())
}

fn hand_out_list(walk: &mut Walk<'_>, list: List, raw: &str) {
    let before = walk.handed_out();
    let spot = match list {
        List::Findings(frame) => Spot::Element(frame),
        List::LogEvents => Spot::LogEvent,
        List::Records | List::Inside => Spot::Document,
    };
    // The text was read once already, so it cannot fail here.
    let _ = Cursor::new(raw, 0).each(|c| {
        let element = c.raw()?;
        walk.deeper(element, |walk| hand_out_element(walk, element, spot));
        Ok(())
    });
    if walk.handed_out() == before {
        walk.hand_out(Decoded::Skipped);
    }
}

fn hand_out_element(walk: &mut Walk<'_>, element: &str, spot: Spot) {
    match element.as_bytes().first() {
        Some(b'{') => {
            let mut outer = Outer::default();
            match outer.read(&mut Cursor::new(element, 0)) {
                Ok(()) => outer.hand_out(walk, element, spot),
                Err(fault) => walk.reject(element.as_bytes(), fault.why),
            }
        }
        Some(b'[') => hand_out_list(walk, List::Findings(Frame::Bare), element),
        _ => walk.reject(element.as_bytes(), "expected an object"),
    }
}

impl<'a> Outer<'a> {
    fn read(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        c.object(|c, key| {
            if self.own.member(c, key)? {
                Ok(())
            } else {
                self.member(c, key)
            }
        })
    }

    fn member(&mut self, c: &mut Cursor<'a>, key: &Key<'a>) -> Result<(), Fault> {
        match key.name() {
            b"detail" => match c.peek() {
                b'{' => self.detail.read(c)?,
                b'"' => self.message = Some(Message::Plain(c.string()?)),
                _ => c.skip()?,
            },
            b"account" => self.account = c.scalar()?.account(),
            b"source" => self.source = c.scalar()?.text(),
            b"detail-type" => self.detail_type = c.scalar()?.text(),
            b"findings" => {
                let frame = if key.is_pascal() {
                    Frame::GetFindings
                } else {
                    Frame::Rest
                };
                self.take_list(c, List::Findings(frame))?;
            }
            b"records" => self.take_list(c, List::Records)?,
            b"logevents" => self.take_list(c, List::LogEvents)?,
            b"messagetype" => self.message_type = c.scalar()?.text(),
            b"message" if c.peek() == b'"' => {
                let text = c.string()?;
                self.message.get_or_insert(Message::Own(text));
            }
            b"body" if c.peek() == b'"' => self.message = Some(Message::Plain(c.string()?)),
            b"sns" => c.object(|c, key| match key.name() {
                b"message" if c.peek() == b'"' => c
                    .string()
                    .map(|text| self.message = Some(Message::Sns(text))),
                _ => c.skip(),
            })?,
            b"kinesis" | b"awslogs" => c.object(|c, key| match key.name() {
                b"data" if c.peek() == b'"' => c
                    .string()
                    .map(|text| self.message = Some(Message::Base64(text))),
                _ => c.skip(),
            })?,
            b"data" if c.peek() == b'{' => {
                let raw = c.raw()?;
                self.list.get_or_insert((List::Inside, raw));
            }
            b"topicarn" => {
                self.has_topic = true;
                c.skip()?;
            }
            b"productarn" | b"awsaccountid" => {
                self.is_asff = true;
                c.skip()?;
            }
            b"class_uid" | b"finding_info" => {
                self.is_ocsf = true;
                c.skip()?;
            }
            _ => c.skip()?,
        }
        Ok(())
    }

    fn take_list(&mut self, c: &mut Cursor<'a>, list: List) -> Result<(), Fault> {
        if matches!(c.peek(), b'[' | b'{') {
            self.list = Some((list, c.raw()?));
            return Ok(());
        }
        c.skip()
    }

    /// Decides what the object was and hands out what it held.
    fn hand_out(self, walk: &mut Walk<'_>, raw: &'a str, spot: Spot) {
        let kind = self.own.kind.as_deref().unwrap_or("");
        if self.message_type.as_deref() == Some("CONTROL_MESSAGE")
            || matches!(kind, "SubscriptionConfirmation" | "UnsubscribeConfirmation")
        {
            return walk.hand_out(Decoded::Skipped);
        }
        match self.list {
            // `data` is a name anyone may use: it counts only where the object is nothing else.
            Some((List::Inside, inside)) if !self.is_known_without_list() => {
                return walk.deeper(inside, |walk| hand_out_element(walk, inside, spot));
            }
            Some((List::Inside, _)) | None => {}
            Some((list, elements)) => return hand_out_list(walk, list, elements),
        }
        match self.message {
            Some(Message::Sns(text)) => return walk.message(&text, Wrapper::Sns),
            Some(Message::Plain(text)) => return walk.message(&text, walk.wrapper()),
            Some(Message::Base64(text)) => {
                return match packed::base64(&text) {
                    Some(bytes) => walk.message_bytes(&bytes, walk.wrapper()),
                    None => walk.reject(raw.as_bytes(), "`data` is not Base64"),
                };
            }
            Some(Message::Own(text)) if kind == "Notification" || self.has_topic => {
                return walk.message(&text, Wrapper::Sns);
            }
            Some(Message::Own(text)) if spot == Spot::LogEvent => {
                return walk.message(&text, Wrapper::CloudWatchLogs);
            }
            _ => {}
        }
        if !self.detail.raw.is_empty() {
            let outside = Outside {
                account: self.account,
                region: self.own.region,
            };
            return self.detail.hand_out(
                walk,
                outside,
                self.source.as_deref(),
                self.detail_type.as_deref(),
                raw,
            );
        }
        if self.is_asff {
            return asff::hand_out(walk, raw);
        }
        if self.is_ocsf {
            return ocsf::hand_out(walk, raw);
        }
        let frame = if let Spot::Element(frame) = spot {
            frame
        } else {
            Frame::Bare
        };
        hand_out_native(
            walk,
            self.own,
            Outside {
                account: self.account,
                region: None,
            },
            raw,
            raw,
            frame,
        );
    }

    fn is_known_without_list(&self) -> bool {
        !self.detail.raw.is_empty()
            || self.message.is_some()
            || self.is_asff
            || self.is_ocsf
            || self.own.is_finding()
    }
}

impl<'a> Detail<'a> {
    fn read(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        let start = c.pos();
        *self = Detail::default();
        c.object(|c, key| {
            if self.draft.member(c, key)? {
                return Ok(());
            }
            match key.name() {
                b"findings" if c.peek() == b'[' => c.raw().map(|raw| self.findings = Some(raw)),
                _ => c.skip(),
            }
        })?;
        self.raw = c.since(start);
        Ok(())
    }

    fn hand_out(
        self,
        walk: &mut Walk<'_>,
        outside: Outside<'a>,
        source: Option<&str>,
        detail_type: Option<&str>,
        event: &'a str,
    ) {
        if let Some(findings) = self.findings {
            return hand_out_list(walk, List::Findings(Frame::Bare), findings);
        }
        let is_other = match detail_type {
            Some(name) => !name.eq_ignore_ascii_case("GuardDuty Finding"),
            None => source == Some("aws.guardduty") && !self.draft.is_finding(),
        };
        if is_other {
            return walk.hand_out(Decoded::Skipped);
        }
        hand_out_native(
            walk,
            self.draft,
            outside,
            self.raw,
            event,
            Frame::EventBridge,
        );
    }
}

/// `whole` is what is kept when the finding has no identity: with its envelope, so that a replay can use it.
fn hand_out_native<'a>(
    walk: &mut Walk<'_>,
    draft: Draft<'a>,
    outside: Outside<'a>,
    raw: &'a str,
    whole: &'a str,
    frame: Frame,
) {
    if draft.id.is_none() && draft.arn.is_none() && draft.kind.is_none() {
        return walk.reject(
            whole.as_bytes(),
            "no finding: neither `id`, `arn` nor `type`",
        );
    }
    let shape = draft.shape(frame, walk.wrapper());
    match draft.finish(outside, raw, shape) {
        Ok(finding) => walk.hand_out(Decoded::Finding(finding)),
        Err(why) => walk.hand_out(Decoded::Reject(Reject {
            bytes: whole.as_bytes(),
            reason: why.to_owned(),
        })),
    }
}
