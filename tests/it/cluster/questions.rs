//! Every trend, every investigation and all sorts of SQL: row by row what this process answers alone.

use std::collections::BTreeMap;

use jobs::{Given, Kind, Library};

use super::machines::Machines;
use super::{Two, lines, made};
use crate::support::{S3, finish, folder, guardlake, ndjson, run};

/// What people ask, and what engines of many machines get wrong: distinct counts, windows, lists, JSON, sets, subqueries, nothing at all.
const ADHOC: [&str; 32] = [
    "SELECT account_id, remote_ip, count(*) AS n, count(DISTINCT finding_id) AS f FROM observations WHERE remote_ip IS NOT NULL GROUP BY ALL",
    "SELECT count(DISTINCT account_id) AS a, count(DISTINCT remote_ip) AS i, count(DISTINCT severity) AS s, count(*) AS n FROM findings",
    "SELECT type, count(DISTINCT account_id) FILTER (WHERE severity >= 7) AS a, count(DISTINCT region) AS r FROM findings GROUP BY type",
    "SELECT finding_id, event_time, row_number() OVER (PARTITION BY account_id ORDER BY event_time, finding_id, count) AS n, lag(type) OVER (PARTITION BY account_id ORDER BY event_time, finding_id, count) AS before FROM findings",
    "SELECT account_id, event_time, count(*) OVER (PARTITION BY account_id ORDER BY event_time RANGE BETWEEN INTERVAL '1 hour' PRECEDING AND CURRENT ROW) AS n FROM findings",
    "SELECT finding_id, count, rank() OVER (ORDER BY severity DESC, event_time, finding_id, count) AS place FROM findings ORDER BY place LIMIT 50",
    "SELECT account_id, unnest(remote_ips) AS ip, count FROM findings WHERE remote_ips IS NOT NULL",
    "SELECT ip, count(*) AS n FROM (SELECT unnest(remote_ips) AS ip FROM findings) GROUP BY ip ORDER BY n DESC, ip",
    "SELECT finding_id, raw->>'schemaVersion' AS v, json_get_str(raw, 'detail', 'service', 'serviceName') AS s, json_get_int(raw, 'detail', 'service', 'count') AS n FROM findings",
    "SELECT json_get(raw, 'detail') IS NULL AS missing, count(*) AS n FROM findings GROUP BY 1",
    "SELECT ip_network(remote_ip, 16) AS net, ip_family(remote_ip) AS f, ip_is_private(remote_ip) AS p, count(*) AS n FROM findings WHERE remote_ip IS NOT NULL GROUP BY 1, 2, 3",
    "SELECT count(*) AS n FROM observations WHERE ip_in_cidr(remote_ip, '198.51.100.0/24') OR ip_to_int(remote_ip) > 3000000000",
    "SELECT severity_label(severity) AS label, count(*) AS n, round(avg(severity), 6) AS mean, min(event_time) AS first FROM findings GROUP BY 1 ORDER BY 1",
    "SELECT account_name(account_id) AS name, account_ou(account_id, event_time) AS unit, count(*) AS n FROM findings GROUP BY 1, 2",
    "SELECT account_id, name, ou FROM accounts ORDER BY account_id",
    "SELECT f.finding_id, a.name FROM current_findings f JOIN accounts a ON a.account_id = f.account_id WHERE f.severity >= 8",
    "SELECT a.account_id, b.n FROM accounts a LEFT JOIN (SELECT account_id, count(*) AS n FROM findings WHERE severity > 8.5 GROUP BY 1) b ON a.account_id = b.account_id",
    "SELECT account_id FROM accounts WHERE account_id NOT IN (SELECT account_id FROM findings WHERE severity > 8.9)",
    "SELECT finding_id FROM findings f WHERE severity = (SELECT max(severity) FROM findings g WHERE g.account_id = f.account_id)",
    "SELECT count(*) AS n FROM findings WHERE severity > (SELECT avg(severity) FROM findings)",
    "SELECT 'new' AS kind, count(*) AS n FROM findings WHERE count = 1 UNION ALL SELECT 'again', count(*) FROM findings WHERE count > 1",
    "SELECT region FROM findings INTERSECT SELECT region FROM findings WHERE severity >= 7 EXCEPT SELECT 'us-east-1'",
    "SELECT day_in('America/New_York', event_time) AS d, count(*) AS n FROM findings GROUP BY 1 ORDER BY 1",
    "SELECT event_date, type, sum(count) AS n FROM findings WHERE event_date > '2020-01-01' GROUP BY ROLLUP (event_date, type)",
    "SELECT account_id, array_agg(DISTINCT region ORDER BY region) AS regions, median(severity) AS m FROM findings GROUP BY 1",
    "SELECT rule, event, count(*) AS n FROM alert_log GROUP BY 1, 2",
    "SELECT finding_id, count(*) OVER (PARTITION BY account_id, region ORDER BY event_time) AS n FROM findings WHERE region = 'us-east-1'",
    "SELECT v.account_name, count(*) OVER (PARTITION BY v.account_name ORDER BY event_time) AS n FROM versions v",
    "SELECT count(*) AS n FROM findings a JOIN accounts b ON account_name(a.account_id) = account_name(b.account_id)",
    "SELECT count(*) AS n FROM findings WHERE in_ou('/prod/unit-2', account_id, event_time)",
    "SELECT a.type AS t, b.type AS u, count(*) AS n FROM findings a LEFT JOIN findings b ON a.account_id = b.account_id AND a.event_time < b.event_time AND b.event_time < a.event_time + INTERVAL '10 minutes' GROUP BY 1, 2",
    "SELECT i, count(*) AS n FROM generate_series(1, 3) t(i), findings GROUP BY i",
];

/// What needs no file is answered by who asks.
const HERE: [&str; 4] = [
    "SELECT 1 AS one, severity_label(7.5) AS label",
    "SHOW TABLES",
    "SELECT count(*) > 20 AS many FROM information_schema.columns",
    "VALUES (1, 'a'), (2, 'b')",
];

/// What cannot be sent, and what is said of it. Keep `docs/scale.md` in line.
const REFUSED: [(&str, &str); 4] = [
    (
        "EXPLAIN ANALYZE SELECT count(*) FROM findings",
        "tells of one machine",
    ),
    (
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT (SELECT count(*) FROM findings WHERE count = n.i) AS c FROM n",
        "RecursiveQueryExec",
    ),
    (
        "SELECT count(*) FROM findings, information_schema.tables",
        "StreamingTableExec",
    ),
    (
        "SELECT count(*) OVER (PARTITION BY account_name(account_id)) AS n FROM findings",
        "select it under a name in a subquery",
    ),
];

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines[1..].sort();
    lines
}

fn is_ordered(sql: &str) -> bool {
    // The order of a subquery or a window is none of the answer.
    sql.rfind("ORDER BY")
        .is_some_and(|at| !sql[at..].contains(')'))
}

/// Values that the lake has, for the parameters that must be given.
fn entities(lake: &str) -> BTreeMap<&'static str, String> {
    let one = |sql: &str| {
        let rows = ndjson(&run(lake, &["--format", "ndjson", "sql", sql], 0));
        rows[0]["x"].as_str().expect("a text").to_owned()
    };
    [
        ("ip", "SELECT remote_ip AS x FROM findings WHERE remote_ip IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"),
        ("account", "SELECT account_id AS x FROM findings GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"),
        ("entity", "SELECT resource_id AS x FROM findings WHERE resource_id IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"),
        ("finding", "SELECT finding_id AS x FROM findings GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"),
        ("principal", "SELECT user_name AS x FROM findings WHERE user_name IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"),
    ]
    .map(|(name, sql)| (name, one(sql)))
    .into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_answers_as_one_machine_does() {
    let (_folder, lake) = made(1_200);
    let machines = Machines::start(3, &[]);
    let two = Two::open(&lake, &machines).await;
    let entities = entities(&lake);
    let mut wrong = Vec::new();
    let mut asked = 0;
    let library = Library::built_in();
    for kind in [Kind::Trend, Kind::Investigation] {
        for script in library.scripts(kind).expect("scripts") {
            let name = script.source.name.as_str();
            let needed = script
                .header
                .parameters
                .iter()
                .filter(|p| p.default.is_none());
            let needed = needed.map(|p| (p.name.clone(), entities[p.name.as_str()].clone()));
            let mut given: Given = needed.collect();
            for more in [
                vec![],
                vec![
                    ("severity", "medium"),
                    ("ou", "/prod/unit-1"),
                    ("tz", "Asia/Tokyo"),
                ],
            ] {
                let takes = |name: &str| script.header.parameters.iter().any(|p| p.name == name);
                let before = given.len();
                given.extend(
                    more.iter()
                        .filter(|(n, _)| takes(n))
                        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned())),
                );
                if asked > 0 && given.len() == before && !more.is_empty() {
                    continue;
                }
                let (here, there) = two.run(kind, name, &given).await;
                asked += 1;
                if here != there {
                    wrong.push(format!(
                        "{name} {given:?}\nhere:  {here:#?}\nthere: {there:#?}"
                    ));
                }
            }
        }
    }
    for sql in ADHOC.iter().chain(&HERE) {
        let (here, there) = two.sql(sql).await;
        asked += 1;
        let same = match is_ordered(sql) {
            true => here == there,
            false => sorted(here.clone()) == sorted(there.clone()),
        };
        if !same {
            wrong.push(format!("{sql}\nhere:  {here:#?}\nthere: {there:#?}"));
        }
    }
    let finished = machines.finished();
    assert!(
        wrong.is_empty(),
        "{} of {asked} differ:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    assert!(finished.iter().all(|tasks| *tasks > 0), "{finished:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cluster_cannot_do_is_said() {
    let (_folder, lake) = made(200);
    let machines = Machines::start(1, &[]);
    let two = Two::open(&lake, &machines).await;
    for (sql, says) in REFUSED {
        let here = two.here.sql(sql, &Given::new()).await;
        here.expect("an answer").collect().await.expect("rows");
        let error = two.there.sql(sql, &Given::new()).await.expect_err(sql);
        assert_eq!(error.kind, jobs::Remedy::Correct, "{sql}: {error:?}");
        assert!(error.message.contains(says), "{sql}: {error:?}");
        assert!(
            error.message.ends_with("Ask without --cluster"),
            "{sql}: {error:?}"
        );
    }
    assert_eq!(machines.scheduler.said("job received"), 0);
}

/// What a session has opened is what all executors read, and no more of it than a question needs.
#[tokio::test(flavor = "multi_thread")]
async fn all_machines_read_one_version_and_only_the_days_asked_for() {
    let (folder, lake) = made(300);
    let machines = Machines::start(2, &[]);
    let two = Two::open(&lake, &machines).await;
    let count = "SELECT count(*) AS n, count(DISTINCT event_date) AS days FROM findings";
    let (before, _) = two.sql(count).await;
    let more = folder.path().join("more.jsonl").display().to_string();
    let made = finish(
        guardlake().args(["sample", "--findings", "200", "--seed", "99"]),
        0,
    );
    std::fs::write(&more, made.stdout).expect("a file");
    run(&lake, &["ingest", &more], 0);
    run(&lake, &["lake", "compact"], 0);
    let (_, there) = two.sql(count).await;
    assert_eq!(there, before);
    let anew = Two::open(&lake, &machines).await;
    let (here, there) = anew.sql(count).await;
    assert_eq!(here, there);
    assert_ne!(there, before);

    let days = async |filter: &str| {
        let plan = two
            .there
            .sql(
                &format!("EXPLAIN SELECT raw FROM findings {filter}"),
                &Given::new(),
            )
            .await;
        let plan = lines(plan).await.expect("a plan").join("\n");
        let days = plan
            .split("event_date=")
            .skip(1)
            .map(|rest| rest[..10].to_owned());
        days.collect::<std::collections::BTreeSet<_>>()
    };
    let all = days("").await;
    assert!(all.len() > 3, "{all:?}");
    let last = all.last().expect("a day");
    // By the partition, and by the statistics of a column.
    assert_eq!(days(&format!("WHERE event_date = '{last}'")).await.len(), 1);
    let at = format!("WHERE event_time >= '{last}T00:00:00Z' AND event_time < '{last}T23:59:59Z'");
    assert_eq!(days(&at).await.len(), 1);
}

/// Executors read a bucket with credentials of their own; the scheduler has none.
#[tokio::test(flavor = "multi_thread")]
async fn a_lake_on_s3_is_read_by_the_executors() {
    let s3 = S3::start();
    let bucket = s3.client().create_bucket().bucket("lake").send().await;
    bucket.expect("a bucket");
    let (folder, _) = folder();
    let file = folder.path().join("findings.jsonl").display().to_string();
    let made = finish(
        guardlake().args(["sample", "--findings", "120", "--seed", "4"]),
        0,
    );
    std::fs::write(&file, made.stdout).expect("a file");
    let lake = ["--lake", "s3://lake/a prefix", "--format", "csv"];
    finish(s3.guardlake().args(lake).args(["ingest", &file]), 0);
    let machines = Machines::start(1, &[("AWS_ENDPOINT_URL", s3.endpoint())]);
    let question = [
        "sql",
        "SELECT type, count(*) AS n FROM findings GROUP BY 1 ORDER BY 1",
    ];
    let here = finish(s3.guardlake().args(lake).args(question), 0).stdout;
    let there = finish(
        s3.guardlake()
            .args(lake)
            .args(question)
            .args(["--cluster", &machines.address()]),
        0,
    );
    assert_eq!(there.stdout, here);
    assert!(machines.finished()[0] > 0);
}

/// What was made is asked as people ask it.
#[test]
fn the_command_asks_a_cluster() {
    let (folder, lake) = made(500);
    let mut machines = Machines::start(2, &[]);
    let ask = |arguments: &[&str], code| {
        let cluster = ["--cluster", &machines.address()];
        run(
            &lake,
            &[&["--format", "csv"], arguments, &cluster].concat(),
            code,
        )
    };
    for question in [
        vec!["trend", "findings_per_type_day", "--types", "Recon:*"],
        vec!["investigate", "account_summary", "111111111111"],
        vec![
            "sql",
            "SELECT account_id, count(DISTINCT type) AS n FROM findings GROUP BY 1 ORDER BY 1; SELECT $x AS x",
            "-p",
            "x=3",
        ],
    ] {
        let here = run(&lake, &[&["--format", "csv"], &question[..]].concat(), 0).stdout;
        assert_eq!(ask(&question, 0).stdout, here, "{question:?}");
    }
    let file = folder.path().join("answer.parquet").display().to_string();
    ask(&["sql", "SELECT * FROM findings", "--output", &file], 0);
    let cut = ask(
        &["sql", "SELECT finding_id FROM findings", "--max-rows", "7"],
        0,
    );
    assert_eq!(String::from_utf8_lossy(&cut.stdout).lines().count(), 8);
    // Nothing of what is refused is sent.
    let jobs = machines.scheduler.said("job received");
    for refused in [
        "DELETE FROM findings",
        "COPY findings TO '/tmp/x.csv'",
        "SELECT * FROM '/etc/passwd'",
        "SET datafusion.execution.batch_size = 1",
    ] {
        ask(&["sql", refused], 2);
    }
    assert_eq!(machines.scheduler.said("job received"), jobs);
    assert_eq!(machines.executors[0].terminated(), Some(0));
    assert_eq!(machines.scheduler.terminated(), Some(0));
}

/// A mistake in the address is told before the lake is opened.
#[test]
fn a_cluster_that_is_not_there_is_named() {
    let mut command = guardlake();
    command.args([
        "--lake",
        "/no/lake",
        "sql",
        "SELECT 1",
        "--cluster",
        "df://127.0.0.1:1",
    ]);
    let dead = finish(&mut command, 4);
    let said = String::from_utf8_lossy(&dead.stderr).into_owned();
    assert!(
        said.contains("df://127.0.0.1:1") && said.contains("refused"),
        "{said}"
    );
    let mut command = guardlake();
    command.args([
        "--lake",
        "/no/lake",
        "trend",
        "totals",
        "--cluster",
        "http://a:1",
    ]);
    finish(&mut command, 3);
}
