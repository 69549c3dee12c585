//! The log under faults: torn checkpoints, clean-up after a month, another writer's change of the table.

use deltalake::DeltaTable;
use deltalake::logstore::{StorageConfig, logstore_with};
use lake::{LakeError, Move, Position, SequenceNumber, ShardKey, Table, VacuumOptions};
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use serde_json::Value;

use super::ground::{Ground, check, documents, moves, rows, store, stored_in_pieces, writer};

fn shard(name: &str) -> ShardKey {
    ShardKey {
        source: "arn:aws:kinesis:eu-central-1:1:stream/s@1".into(),
        shard_id: name.into(),
    }
}

/// The move of a shard from its n-th record to the next.
fn step(name: &str, number: i64) -> Move {
    let at = |number: i64| {
        // As long as real ones are: 186 bits.
        let text = format!("495903382714902566085596925383615710959215759891365888{number:04}");
        Position::at(SequenceNumber::parse(&text).expect("a number"), 0)
    };
    Move {
        shard: shard(name),
        from: (number > 0).then(|| at(number - 1)),
        to: at(number),
    }
}

/// The version and number of files that delta-rs reads, or what it says instead.
async fn delta_rs(ground: &Ground) -> Result<(u64, usize), String> {
    let url = url::Url::parse("memory:///findings/").expect("a URL");
    let store = logstore_with(ground.store.clone(), &url, StorageConfig::default());
    let mut table = DeltaTable::new(store.expect("a store"));
    table.load().await.map_err(|error| error.to_string())?;
    let files = table.get_file_uris().map_err(|error| error.to_string())?;
    Ok((table.version().unwrap_or_default(), files.count()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_14_a_torn_checkpoint_hides_nothing() {
    for damage in ["half", "empty", "garbage", "pointer", "gone"] {
        let ground = Ground::new().await;
        let mut writer = writer(&ground.lake).await;
        store(&mut writer, &documents(60, 1)).await;
        ground
            .lake
            .checkpoint(Table::Findings)
            .await
            .expect("a checkpoint");
        store(&mut writer, &documents(60, 2)).await;
        ground
            .lake
            .checkpoint(Table::Findings)
            .await
            .expect("a checkpoint");
        store(&mut writer, &documents(60, 3)).await;
        let before = rows(&ground.lake).await;
        let sound = delta_rs(&ground).await.expect("delta-rs reads it");

        let checkpoint = Path::from("findings/_delta_log/00000000000000000002.checkpoint.parquet");
        let pointer = Path::from("findings/_delta_log/_last_checkpoint");
        let whole = ground.bytes(&checkpoint).await;
        let bytes = match damage {
            "half" => whole.slice(..whole.len() / 2),
            "empty" | "gone" => whole.slice(..0),
            _ => "not what you think".into(),
        };
        let path = if damage == "pointer" {
            &pointer
        } else {
            &checkpoint
        };
        if damage == "gone" {
            ground.store.delete(path).await.expect("it goes");
        } else {
            let put = ground.store.put(path, PutPayload::from(bytes)).await;
            put.expect("it is damaged");
        }

        // Our reader: the same version and files, and a writer that goes on.
        let other = ground.reopened().await;
        let info = other.info().await.expect("a look").remove(0);
        let (version, files) = (info.version as u64, info.files as usize);
        assert_eq!(
            (version, files, info.rows),
            (sound.0, sound.1, before.len() as u64),
            "{damage}"
        );
        // delta-rs passes over a pointer that makes no sense, and stops at everything else.
        let problems = other.verify().await.expect("a look").problems;
        if damage == "pointer" {
            assert_eq!((delta_rs(&ground).await, problems), (Ok(sound), vec![]));
            continue;
        }
        let said = delta_rs(&ground).await.expect_err("it stops");
        assert!(
            said.contains("heckpoint") || said.contains("footer"),
            "{damage}: {said}"
        );
        assert!(problems[0].contains("checkpoint"), "{damage}: {problems:?}");
        // Upkeep takes away what is in the way: the next checkpoint does, and vacuum.
        if damage == "half" {
            other
                .checkpoint(Table::Findings)
                .await
                .expect("a checkpoint");
        } else {
            other
                .vacuum(VacuumOptions::default())
                .await
                .expect("it vacuums");
        }
        assert_eq!(delta_rs(&ground).await, Ok(sound), "{damage}");
        check(&ground.reopened().await, &before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_15_positions_survive_checkpoint_and_log_clean_up() {
    let ground = Ground::new().await;
    let before = stored_in_pieces(&ground.lake, &documents(100, 9), 20).await;
    let mut ours = writer(&ground.lake).await;
    let mut asleep = writer(&ground.lake).await;
    let dreaming = ground.reopened().await;
    assert_eq!(rows(&dreaming).await, before);
    moves(&mut ours, &[step("shardId-idle", 0)]).await;
    for number in 0..40 {
        moves(&mut ours, &[step("shardId-busy", number)]).await;
        if number % 20 == 10 {
            ground
                .lake
                .checkpoint(Table::Findings)
                .await
                .expect("a checkpoint");
        }
    }
    let version = ours.version();

    // A month has not passed yet.
    ground.pass_days(29);
    let log_files = async || {
        let done = ground.lake.vacuum(VacuumOptions::default()).await;
        done.expect("it vacuums").remove(0).log_files
    };
    assert_eq!(log_files().await, 0);
    ground.pass_days(11);
    assert!(log_files().await > 10);
    assert_eq!(log_files().await, 0);
    let kept = ground.objects("_delta_log/0").await;
    let first = kept[0].filename().expect("a name").to_owned();
    assert!(!first.starts_with("00000000000000000000"), "{first}");

    // The shard that has been idle for forty days is where it was, on any machine.
    let later = ground.reopened().await;
    let next = writer(&later).await;
    for (name, number) in [("shardId-idle", 0), ("shardId-busy", 39)] {
        assert_eq!(
            next.position(&shard(name)),
            Some(step(name, number).to),
            "{name}"
        );
    }
    assert_eq!(next.version(), version);
    let verified = later.verify().await.expect("a look");
    assert_eq!((verified.complete_log, verified.problems), (false, vec![]));
    assert_eq!(rows(&later).await, before);
    // So does a reader who last looked before all this.
    assert_eq!(rows(&dreaming).await, before);
    assert_eq!(
        dreaming.version(Table::Findings).await.expect("a look"),
        version
    );

    // A checkpoint later it still is.
    let mut next = next;
    moves(&mut next, &[step("shardId-busy", 40)]).await;
    later
        .checkpoint(Table::Findings)
        .await
        .expect("a checkpoint");
    assert_eq!(
        writer(&later).await.position(&shard("shardId-idle")),
        Some(step("shardId-idle", 0).to)
    );

    // Who slept through the clean-up stands on a version that is gone: what it commits there, nobody would ever read.
    let filled = super::ground::batch(&asleep, &documents(10, 99));
    let refused = asleep.commit(filled, &[]).await;
    assert!(
        matches!(refused, Err(LakeError::LeftBehind { .. })),
        "{refused:?}"
    );
    assert!(matches!(
        asleep.follow().await,
        Err(LakeError::LeftBehind { .. })
    ));
    // Who followed to the end does not mind.
    ours.follow().await.expect("it follows");
    assert_eq!(ours.version(), version + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_clean_up_waits_for_two_checkpoints_that_can_be_read() {
    let ground = Ground::new().await;
    let mut writer = writer(&ground.lake).await;
    let clean = async || {
        let done = ground.lake.vacuum(VacuumOptions::default()).await;
        done.expect("it vacuums").remove(0).log_files
    };
    let mut before = vec![];
    for seed in 1..4 {
        store(&mut writer, &documents(30, seed)).await;
        ground
            .lake
            .checkpoint(Table::Findings)
            .await
            .expect("a checkpoint");
        before = rows(&ground.lake).await;
    }
    let torn = Path::from("findings/_delta_log/00000000000000000002.checkpoint.parquet");
    let whole = ground.bytes(&torn).await;
    ground
        .store
        .put(&torn, whole.slice(..50).into())
        .await
        .expect("it is torn");
    ground.pass_days(40);
    // Readable are 1 and 3, so only version 0 may go; the table can be opened from either.
    assert_eq!(clean().await, 1);
    let info = ground
        .reopened()
        .await
        .info()
        .await
        .expect("a look")
        .remove(0);
    assert_eq!((info.version, info.rows), (3, before.len() as u64));
    ground
        .store
        .put(&torn, whole.into())
        .await
        .expect("it is mended");
    assert_eq!(clean().await, 2);
    assert_eq!(ground.objects("_delta_log/0").await.len(), 4);
    assert_eq!(rows(&ground.reopened().await).await, before);
}

/// Commits a `metaData` action as another writer would: the table's own, changed.
async fn change_schema(ground: &Ground, version: i64, change: impl Fn(&mut Vec<Value>)) {
    let name = |version: i64| Path::from(format!("findings/_delta_log/{version:020}.json"));
    let first = ground.bytes(&name(0)).await;
    let first = std::str::from_utf8(&first).expect("text");
    let mut lines = first
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let mut action = lines
        .find(|line| line.get("metaData").is_some())
        .expect("metaData");
    let text = action["metaData"]["schemaString"]
        .as_str()
        .expect("a schema");
    let mut schema: Value = serde_json::from_str(text).expect("JSON");
    change(schema["fields"].as_array_mut().expect("fields"));
    action["metaData"]["schemaString"] = schema.to_string().into();
    let put = ground
        .store
        .put(&name(version), action.to_string().into())
        .await;
    put.expect("a commit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_16_another_writers_change_of_the_table_is_taken_in_or_named() {
    let ground = Ground::new().await;
    let mut ours = writer(&ground.lake).await;
    store(&mut ours, &documents(60, 1)).await;

    // A column more: the commit is refused, the table looked at again, and the same rows land.
    let column =
        serde_json::json!({ "name": "ticket", "type": "string", "nullable": true, "metadata": {} });
    change_schema(&ground, 2, |fields| fields.push(column.clone())).await;
    let committed = store(&mut ours, &documents(60, 2)).await;
    assert_eq!(committed.version, Some(3));
    let later = ground.reopened().await;
    let all = rows(&later).await;
    check(&later, &all);
    // Compaction too: files with and without the column.
    let done = later
        .compact(lake::CompactOptions::default())
        .await
        .expect("it compacts");
    assert!(!done.rewrites.is_empty());
    check(&later, &all);

    // A column that is gone: nothing is written, and the error says what is wrong.
    let version = ours.version();
    ours.follow().await.expect("it follows");
    let version = version.max(ours.version());
    change_schema(&ground, version + 1, |fields| {
        fields.retain(|field| field["name"] != "raw")
    })
    .await;
    let filled = super::ground::batch(&ours, &documents(60, 3));
    for lake in [
        ours.commit(filled, &[]).await.expect_err("it is refused"),
        later
            .compact(lake::CompactOptions::default())
            .await
            .expect_err("it is refused"),
    ] {
        let said = lake.to_string();
        assert!(said.contains("the column `raw` is gone"), "{said}");
    }
    assert_eq!(
        ground.objects(&format!("{:020}.json", version + 2)).await,
        []
    );
}
