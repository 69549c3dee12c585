//! Mail as a server takes it, line by line.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::Channels;
use crate::channel::{Channel, Failed};
use crate::testing;

type Mails = Arc<Mutex<Vec<String>>>;

/// Takes mail; answers the command that begins with the first word with the second instead of 250.
async fn server(instead: (&'static str, &'static str)) -> (u16, Mails) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mails = Mails::default();
    let kept = mails.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            let _ = stream.write_all(b"220 mail.corp.example ESMTP\r\n").await;
            let (mut line, mut mail) = (String::new(), None::<String>);
            while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
                assert!(line.ends_with("\r\n") && line.len() <= 1_000, "{line:?}");
                let answer = match (&mut mail, line.trim_end()) {
                    (Some(text), ".") => {
                        kept.lock().unwrap().push(std::mem::take(text));
                        mail = None;
                        "250 taken\r\n"
                    }
                    (Some(text), _) => {
                        text.push_str(line.strip_prefix('.').unwrap_or(&line));
                        ""
                    }
                    (None, command) if command.starts_with(instead.0) => instead.1,
                    (None, "DATA") => {
                        mail = Some(String::new());
                        "354 go on\r\n"
                    }
                    (None, command) if command.starts_with("EHLO") => {
                        "250-mail\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME\r\n"
                    }
                    (None, "QUIT") => "221 bye\r\n",
                    (None, _) => "250 fine\r\n",
                };
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    break;
                }
                line.clear();
            }
        }
    });
    (port, mails)
}

fn channel(port: u16, more: &str) -> Box<dyn Channel> {
    testing::channel(&format!(
        "kind: email\nhost: 127.0.0.1\nport: {port}\ntls: none\nfrom: GuardDuty alerts <alerts@corp.example>\n\
         to: [Ann <ann@corp.example>, oncall@corp.example]{more}"
    ))
}

fn header<'a>(mail: &'a str, name: &str) -> Option<&'a str> {
    let head = mail.split("\r\n\r\n").next()?;
    head.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

const NOTHING: (&str, &str) = ("NOTHING", "");

#[tokio::test]
async fn a_thread_has_one_first_message_and_attempts_have_one_id() {
    let (port, mails) = server(NOTHING).await;
    let channel = channel(port, "");
    let receipt = channel.deliver(&testing::opened(), None).await.unwrap();
    channel.deliver(&testing::opened(), None).await.unwrap();
    let second = channel
        .deliver(&testing::escalated(), Some(&receipt))
        .await
        .unwrap();
    channel
        .deliver(&testing::resolved(), Some(&second))
        .await
        .unwrap();
    let mails = mails.lock().unwrap();
    let id = header(&mails[0], "Message-ID").unwrap();
    assert!(
        id.starts_with("<gl-") && id.ends_with("@corp.example>"),
        "{id}"
    );
    assert_eq!(header(&mails[1], "Message-ID"), Some(id));
    assert_eq!(header(&mails[0], "In-Reply-To"), None);
    for mail in &mails[2..] {
        assert_ne!(header(mail, "Message-ID"), Some(id));
        assert_eq!(
            (header(mail, "In-Reply-To"), header(mail, "References")),
            (Some(id), Some(id))
        );
    }
    assert_eq!(
        header(&mails[0], "Date"),
        Some("Sat, 21 Nov 2026 10:00:30 +0000")
    );
    testing::golden("email-opened.eml", &mails[0].replace("\r\n", "\n"));
}

#[tokio::test]
async fn no_text_adds_a_header_or_a_recipient() {
    let (port, mails) = server(NOTHING).await;
    let channel = channel(port, "");
    let hostile = "x\r\nBcc: eve@evil.example\r\n\r\n<b>body</b>\r\n.\r\nRSET\r\n";
    let mut notice = testing::with(hostile, testing::opened(), 3);
    notice.items[0].alert.title = hostile.to_owned();
    notice.items[0].rule.description = hostile.to_owned();
    notice.key = hostile.to_owned();
    notice.thread = hostile.to_owned();
    channel.deliver(&notice, None).await.unwrap();
    channel.deliver(&testing::huge(200), None).await.unwrap();
    let mails = mails.lock().unwrap();
    assert_eq!(mails.len(), 2);
    for mail in mails.iter() {
        let head = mail.split("\r\n\r\n").next().unwrap();
        let names: Vec<&str> = (head.lines().filter(|line| !line.starts_with([' ', '\t'])))
            .map(|line| line.split(':').next().unwrap())
            .collect();
        let mut due = [
            "From",
            "Date",
            "Message-ID",
            "Subject",
            "To",
            "MIME-Version",
            "Auto-Submitted",
            "Content-Type",
        ]
        .to_vec();
        due.sort_unstable();
        let mut names = names;
        names.sort_unstable();
        assert_eq!(names, due);
        assert!(mail.len() < 200_000, "{}", mail.len());
    }
}

#[tokio::test]
async fn refusals_are_for_good_and_delays_are_not() {
    let failed = async |instead| {
        let (port, _) = server(instead).await;
        channel(port, "")
            .deliver(&testing::opened(), None)
            .await
            .unwrap_err()
    };
    let refused = failed(("RCPT", "550 5.1.1 no such user\r\n")).await;
    assert!(
        matches!(&refused, Failed::ForGood { why } if why.contains("no such user")),
        "{refused:?}"
    );
    let later = failed(("MAIL", "451 4.7.1 greylisted\r\n")).await;
    assert!(matches!(later, Failed::ForNow { .. }), "{later:?}");
    let silent = failed(("MAIL", "")).await;
    assert!(matches!(silent, Failed::ForNow { .. }), "{silent:?}");
    let away = channel(1, "")
        .deliver(&testing::opened(), None)
        .await
        .unwrap_err();
    assert!(matches!(away, Failed::ForNow { .. }), "{away:?}");
}

#[tokio::test]
async fn a_password_that_is_refused_is_not_repeated() {
    let (port, _) = server((
        "AUTH",
        "535 5.7.8 no: password AGFubgBwYXNzd29yZA== cGFzc3dvcmQ=\r\n",
    ))
    .await;
    let channel = channel(port, "\nuser: ann\npassword: {env: PASSWORD}");
    let failed = channel.deliver(&testing::opened(), None).await.unwrap_err();
    assert!(
        matches!(&failed, Failed::ForGood { why } if !why.contains("password")),
        "{failed:?}"
    );
    assert!(!format!("{channel:?}").contains("password"));
}

#[tokio::test]
async fn without_tls_nothing_is_said_but_hello() {
    let (port, mails) = server(("AUTH", "235 fine\r\n")).await;
    // The server offers no STARTTLS, as one would to whom somebody in between has taken the offer away.
    let channel = testing::channel(&format!(
        "kind: email\nhost: 127.0.0.1\nport: {port}\nfrom: a@corp.example\nto: [b@corp.example]\nuser: ann\npassword: {{env: PASSWORD}}"
    ));
    let failed = channel.deliver(&testing::opened(), None).await.unwrap_err();
    assert!(matches!(failed, Failed::ForNow { .. }), "{failed:?}");
    assert!(mails.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_receipt_adds_no_header() {
    let (port, mails) = server(NOTHING).await;
    let receipt = crate::Receipt {
        reference: Some("<gl-1@x>\r\nBcc: eve@evil.example".to_owned()),
        detail: serde_json::Value::Null,
    };
    channel(port, "")
        .deliver(&testing::opened(), Some(&receipt))
        .await
        .unwrap();
    assert!(!mails.lock().unwrap()[0].contains("eve@evil"));
}

#[test]
fn what_is_unsafe_or_no_address_is_refused() {
    let parse = |more: &str| {
        let yaml =
            format!("m: {{kind: email, host: mail.corp.example, from: a@corp.example, {more}}}");
        Channels::parse(&yaml)
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    assert_eq!(parse("to: [b@corp.example]"), Ok(()));
    for (more, due) in [
        ("to: []", "to: is empty"),
        ("to: ['b@corp.example\r\nBcc: x']", "is no e-mail address"),
        ("to: [b@corp.example], user: a", "go together"),
        (
            "to: [b@corp.example], tls: none, user: a, password: {env: P}",
            "could be read on the way",
        ),
        (
            "to: [b@corp.example], tls: sometimes",
            "tls: unknown variant",
        ),
    ] {
        let error = parse(more).unwrap_err();
        assert!(error.contains(due), "{error}");
    }
}

#[tokio::test]
async fn a_report_is_a_page_with_its_pictures_under_one_id() {
    let (port, mails) = server(NOTHING).await;
    let channel = channel(port, "");
    assert!(channel.takes_reports());
    let receipt = channel.publish(&testing::report()).await.unwrap();
    channel.publish(&testing::report()).await.unwrap();
    let hostile = "x\r\nBcc: eve@evil.example\r\n\r\n<b>\r\n.\r\nRSET\r\n";
    channel
        .publish(&testing::report_with(hostile))
        .await
        .unwrap();
    let mut huge = testing::huge_report();
    huge.images.truncate(1);
    channel.publish(&huge).await.unwrap();
    let mails = mails.lock().unwrap().clone();
    assert_eq!(mails.len(), 4);
    assert_eq!(mails[0], mails[1]);
    assert_eq!(
        header(&mails[0], "Message-ID"),
        receipt.reference.as_deref()
    );
    assert_eq!(header(&mails[0], "Auto-Submitted"), Some("auto-generated"));
    assert_eq!(
        header(&mails[0], "Subject"),
        Some(&*testing::report().title)
    );
    for mail in mails.iter() {
        assert!(mail.len() < 10_000_000, "{}", mail.len());
        let head = mail.split("\r\n\r\n").next().unwrap();
        let names = head.lines().filter(|line| !line.starts_with([' ', '\t']));
        assert_eq!(names.count(), 8, "{head}");
        assert!(!head.contains("\nBcc"), "{head}");
    }
    testing::golden("report-email.eml", &mails[0].replace("\r\n", "\n"));
    let mut wrong = testing::report();
    wrong.images[0].content_id = "a>\r\nBcc: eve@evil.example".to_owned();
    let failed = channel.publish(&wrong).await.unwrap_err();
    assert!(
        matches!(&failed, Failed::ForGood { why } if why.contains("images[0]")),
        "{failed:?}"
    );
}

#[tokio::test]
async fn a_report_without_a_page_is_text() {
    let (port, mails) = server(NOTHING).await;
    let mut report = testing::report();
    report.html.clear();
    channel(port, "").publish(&report).await.unwrap();
    let mails = mails.lock().unwrap();
    assert!(!mails[0].contains("multipart") && mails[0].contains("Findings: 1,234"));
}

#[test]
fn messages_read_well() {
    let channel = channel(25, "");
    testing::golden("email-opened.txt", &channel.preview(&testing::opened()));
    testing::golden("email-resolved.txt", &channel.preview(&testing::resolved()));
    testing::golden("email-group.txt", &channel.preview(&testing::group(200)));
}

/// One that sends nothing.
fn still() -> super::Email {
    let mailer =
        lettre::AsyncSmtpTransport::<lettre::Tokio1Executor>::builder_dangerous("localhost");
    super::Email {
        mailer: mailer.build(),
        host: "localhost".to_owned(),
        from: "alerts@corp.example".parse().unwrap(),
        to: vec!["ann@corp.example".parse().unwrap()],
        hidden: Vec::new(),
        clock: testing::clock,
        timeout: std::time::Duration::from_secs(1),
    }
}

/// A report's message, as it is handed over.
pub(crate) fn report(bulletin: &crate::Bulletin) -> String {
    let message = still().render_report(bulletin).unwrap();
    String::from_utf8(message.formatted()).unwrap()
}

/// Head, text and page of a message, decoded.
pub(crate) fn parts(notice: &alerts::Notice) -> (String, String, String) {
    let words = alerts::Words::of(notice);
    let message = still()
        .render(notice, Some("<gl-1@corp.example>"))
        .unwrap()
        .formatted();
    let message = String::from_utf8(message).unwrap();
    let head = message.split("\r\n\r\n").next().unwrap().to_owned();
    (head, alerts::prose(&words), super::html::page(&words))
}
