//! Reports as they come, and worse.

use crate::{Bulletin, Image};

/// Seven bars of 360 by 90 pixels.
const BARS: &str = "\
     iVBORw0KGgoAAAANSUhEUgAAAWgAAABaCAMAAACi/jz1AAAACVBMVEX///8ac+hfY2gb/MPrAAAArUlEQVR42u3XsQ0AIAwDwcD+\
     QzMCUgqw4L53ketSJUmSJEmSWo19kECDFmjQoAUaNALQoEGDBg0aNGjQoEGDBg0aNOgr94AGDRo0aNCgUyegQYMGDRo0aNCgQYMG\
     /Rp07KcLGjRo0KBBgwYN+ncC0KBBgwYNGjRo0KBb0NRAgzYBDRo0NdCgTUCDBk0NNGgT0KBBUwMN2gQ0aNDUQIM2AQ0aNDXQoE1A\
     R02mjrQAgRw10PmoYTQAAAAASUVORK5CYII=\
     ";

pub(crate) fn report() -> Bulletin {
    let lines = [
        "Findings: 1,234 (up 12 % from 1,100)",
        "Alerts: 17 (3 critical), 2 of them still open",
        "Busiest account: 111111111111 (payments-prod), 311 findings",
        "Most frequent type: UnauthorizedAccess:EC2/SSHBruteForce, 402 findings",
    ];
    Bulletin {
        key: "5f0c2d9a41".to_owned(),
        report: "weekly".to_owned(),
        period: "2026-W47".to_owned(),
        title: "Weekly overview, 16 to 22 November 2026 (week 47)".to_owned(),
        summary: lines.map(str::to_owned).to_vec(),
        plain: format!(
            "Weekly overview, 16 to 22 November 2026 (week 47)\n\n{}\n\nDay         Findings\n2026-11-16       120\n2026-11-17       180\n",
            lines.join("\n")
        ),
        html: format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"></head>\n\
             <body style=\"font-family:Arial,Helvetica,sans-serif;font-size:14px;color:#202124\">\n\
             <h1 style=\"font-size:20px\">Weekly overview</h1>\n<p>{}</p>\n\
             <img src=\"cid:findings-by-day\" alt=\"Findings by day\" width=\"360\" height=\"90\">\n\
             <p>Bücher &amp; Söhne</p>\n</body></html>\n",
            lines.join("<br>\n")
        ),
        images: vec![Image {
            content_id: "findings-by-day".to_owned(),
            name: "findings-by-day.png".to_owned(),
            base64: BARS.to_owned(),
        }],
        location: "s3://reports/weekly/2026-W47".to_owned(),
        documents: ["weekly.html", "weekly.md", "findings.csv"]
            .map(str::to_owned)
            .to_vec(),
        // 2026-11-23T06:00:00Z
        made_at: 1_795_413_600_000_000,
    }
}

/// A report that lies where a browser gets at it.
pub(crate) fn linked_report() -> Bulletin {
    Bulletin {
        location: "https://reports.corp.example/weekly/2026-W47".to_owned(),
        ..report()
    }
}

/// Puts a text wherever a finding or a person has a say; the page is escaped by whoever made it.
pub(crate) fn report_with(text: &str) -> Bulletin {
    let summary = vec![
        text.to_owned(),
        format!("Busiest account: {text}"),
        format!("{text} x"),
    ];
    Bulletin {
        key: text.to_owned(),
        report: text.to_owned(),
        period: text.to_owned(),
        title: text.to_owned(),
        summary,
        plain: format!("{text}\n{text}"),
        // Not the text alone: an `https://` place is a link, as it is meant to be.
        location: format!("/srv/{text}"),
        documents: vec![
            text.to_owned(),
            format!("{text}.html"),
            "weekly.html".to_owned(),
        ],
        ..report()
    }
}

/// Everything there is too much of.
pub(crate) fn huge_report() -> Bulletin {
    let text = "<&\"\u{1b}👍".repeat(500);
    let mut report = report_with(&text);
    report.key = "k".repeat(64);
    report.summary = vec![text.clone(); 1_000];
    report.plain = text.repeat(200);
    report.documents = vec![text; 1_000];
    let mut picture = vec![0; 1_500_000];
    picture[..8].copy_from_slice(b"\x89PNG\r\n\x1a\n");
    use base64::Engine;
    let base64 = base64::prelude::BASE64_STANDARD.encode(picture);
    report.images = (0..7)
        .map(|n| Image {
            content_id: format!("chart-{n}"),
            name: format!("chart-{n}.png"),
            base64: base64.clone(),
        })
        .collect();
    report
}
