//! Trying out whether a lake can rest at a place: what readers and writers ask of its store, on one object of its own under `_doctor/`.

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutResult};

use crate::{Ids, LakeError, Location};

/// Something that the lake asks of its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Names of objects: `s3:ListBucket`.
    List,
    /// A new object: `s3:PutObject`.
    Write,
    /// The same once more, which must be refused: every commit rests on that.
    WriteAgain,
    /// Its bytes, the same that were written: `s3:GetObject`.
    Read,
    /// Taking it away: `s3:DeleteObject`.
    Delete,
}

/// Why a step did not do what it must, by who can mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// The store knows who asks and does not allow it, or does not know who asks.
    Forbidden(String),
    /// The bucket or folder is not there.
    NotThere(String),
    /// The second write went through: two writers at once would lose findings.
    Overwrites,
    /// Anything else: the network, the disk.
    Other(String),
}

/// A step and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// What was tried.
    pub step: Step,
    /// How it ended.
    pub outcome: Result<(), Unfit>,
}

/// Tries what a lake at `uri` asks of its store; only listing unless `writes`. A step that hangs on one that failed is left out. A folder
/// that had to be made for it is taken away again.
///
/// # Errors
/// [`LakeError::Address`] where no lake can be, whatever the store.
pub async fn probe(uri: &str, writes: bool) -> Result<Vec<Tried>, LakeError> {
    let location = Location::parse(uri)?;
    let made = location.local_path().map(|root| (root.exists(), root));
    if let (false, Some((false, _))) = (writes, &made) {
        return Err(LakeError::Missing {
            uri: uri.to_owned(),
        });
    }
    let tried = match location.folder("_doctor") {
        Ok((store, _)) => steps(store.as_ref(), writes).await,
        Err(LakeError::Address { reason, .. }) if made.is_some() => vec![Tried {
            step: Step::Write,
            outcome: Err(Unfit::Other(reason)),
        }],
        Err(error) => return Err(error),
    };
    if let Some((was_there, root)) = made {
        // Only empty folders go.
        let _ = std::fs::remove_dir(root.join("_doctor"));
        if !was_there {
            let _ = std::fs::remove_dir(root);
        }
    }
    Ok(tried)
}

async fn steps(store: &dyn ObjectStore, writes: bool) -> Vec<Tried> {
    let path = Path::from(format!("probe-{}", Ids::random().uuid()));
    let text = path.to_string();
    let create = || PutOptions {
        mode: PutMode::Create,
        ..PutOptions::default()
    };
    let mut tried = Vec::new();
    let mut note = |step, outcome: Result<(), Unfit>| {
        let went = outcome.is_ok();
        tried.push(Tried { step, outcome });
        went
    };
    let listed = store.list(None).try_next().await;
    note(
        Step::List,
        listed.map(|_| ()).map_err(|error| unfit(&error)),
    );
    if !writes {
        return tried;
    }
    let written = store.put_opts(&path, text.clone().into(), create()).await;
    if !note(
        Step::Write,
        written.map(|_| ()).map_err(|error| unfit(&error)),
    ) {
        return tried;
    }
    let again = store.put_opts(&path, "other".into(), create()).await;
    let overwritten = !note(Step::WriteAgain, refused(again));
    let read = match store.get(&path).await {
        Ok(got) => got.bytes().await,
        Err(error) => Err(error),
    };
    let same = |bytes: bytes::Bytes| match overwritten || bytes == text.as_bytes() {
        true => Ok(()),
        false => Err(Unfit::Other(
            "other bytes came back than were written".to_owned(),
        )),
    };
    note(
        Step::Read,
        read.map_err(|error| unfit(&error)).and_then(same),
    );
    let deleted = store.delete(&path).await;
    note(Step::Delete, deleted.map_err(|error| unfit(&error)));
    tried
}

/// The second write of an object must not go through.
fn refused(again: object_store::Result<PutResult>) -> Result<(), Unfit> {
    match again {
        Ok(_) => Err(Unfit::Overwrites),
        Err(
            object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. },
        ) => Ok(()),
        Err(error) => Err(unfit(&error)),
    }
}

fn unfit(error: &object_store::Error) -> Unfit {
    let why = reason(error);
    match error {
        object_store::Error::NotFound { .. } => Unfit::NotThere(why),
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. } => Unfit::Forbidden(why),
        _ if why.contains("AccessDenied") || why.contains("Permission denied") => {
            Unfit::Forbidden(why)
        }
        _ if why.contains("NoSuchBucket") => Unfit::NotThere(why),
        _ => Unfit::Other(why),
    }
}

/// The code and message of an answer of S3, which comes as XML within the error's text; else the last cause, on one line.
fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    let (mut last, mut all) = (error, error.to_string());
    while let Some(source) = last.source() {
        last = source;
        all.push_str(&format!(" {source}"));
    }
    let element = |name: &str| {
        let (_, rest) = all.split_once(&format!("<{name}>"))?;
        rest.split_once("</")
            .map(|(text, _)| text.trim().to_owned())
    };
    let said = match (element("Code"), element("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code,
        _ => last.to_string(),
    };
    alerts::clean(&said, 300).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_will_do_and_nothing_of_the_trial_stays() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("lake");
        let tried = probe(root.to_str().unwrap(), true).await.unwrap();
        assert_eq!(tried.len(), 5);
        assert!(tried.iter().all(|step| step.outcome.is_ok()), "{tried:?}");
        assert!(!root.exists());
        let refused = probe(root.to_str().unwrap(), false).await;
        assert!(matches!(refused, Err(LakeError::Missing { .. })));
    }

    #[test]
    fn a_store_that_overwrites_will_not_do() {
        let written = PutResult {
            e_tag: None,
            version: None,
        };
        assert_eq!(refused(Ok(written)), Err(Unfit::Overwrites));
    }

    #[test]
    fn answers_of_s3_are_told_by_code_and_message() {
        let answer = "<Error><Code>AccessDenied</Code><Message>not you</Message></Error>";
        let error = object_store::Error::Generic {
            store: "S3",
            source: answer.into(),
        };
        assert_eq!(
            unfit(&error),
            Unfit::Forbidden("AccessDenied: not you".to_owned())
        );
    }

    #[tokio::test]
    async fn where_nothing_can_be_made_is_told() {
        let tried = probe("/proc/guardlake", true).await.unwrap();
        assert!(
            matches!(
                &tried[..],
                [Tried {
                    step: Step::Write,
                    outcome: Err(_)
                }]
            ),
            "{tried:?}"
        );
    }
}
