//! Where secrets come from: the environment or a file, never the settings themselves, which people copy, commit and mail.

use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

/// Where a secret lies: `{env: NAME}` or `{file: /path}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SecretAt {
    /// In a variable of the environment.
    Env(String),
    /// In a file, alone. White space around it does not count.
    File(PathBuf),
}

/// The secret at a place of this machine. Errors say where, and never what.
pub fn read_secret(at: &SecretAt) -> Result<SecretString, String> {
    let text = match at {
        // The settings name the variable; what it holds is not one of them.
        #[allow(clippy::disallowed_methods)]
        SecretAt::Env(name) => std::env::var(name).map_err(|error| match error {
            std::env::VarError::NotPresent => format!("{at} is not set"),
            std::env::VarError::NotUnicode(_) => format!("{at} is not text"),
        })?,
        SecretAt::File(path) => std::fs::read_to_string(path)
            .map_err(|error| format!("{at} cannot be read: {}", error.kind()))?,
    };
    whole(at, &text)
}

/// A secret without the white space around it; refuses what cannot be one.
fn whole(at: &SecretAt, text: &str) -> Result<SecretString, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("{at} is empty"));
    }
    if text.contains(char::is_control) {
        return Err(format!("{at} holds more than one line, or control codes"));
    }
    Ok(SecretString::from(text))
}

impl fmt::Display for SecretAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretAt::Env(name) => write!(f, "environment variable {}", alerts::clean(name, 80)),
            SecretAt::File(path) => {
                write!(f, "file {}", alerts::clean(&path.to_string_lossy(), 200))
            }
        }
    }
}

impl<'de> Deserialize<'de> for SecretAt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SecretAt, D::Error> {
        deserializer.deserialize_any(Place)
    }
}

const HOW: &str = "a secret is not written here: give `{env: NAME}` or `{file: /path}`";

/// An address that is a secret, or is none: text, or a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Open(String),
    Secret(SecretAt),
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        deserializer.deserialize_any(AddressOrPlace)
    }
}

struct AddressOrPlace;

impl<'de> Visitor<'de> for AddressOrPlace {
    type Value = Address;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address, or `{env: NAME}` or `{file: /path}`")
    }

    fn visit_str<E: Error>(self, address: &str) -> Result<Address, E> {
        Ok(Address::Open(address.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Address, A::Error> {
        Place.visit_map(map).map(Address::Secret)
    }
}

struct Place;

impl<'de> Visitor<'de> for Place {
    type Value = SecretAt;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`{env: NAME}` or `{file: /path}`")
    }

    // Serde's own message would repeat the secret.
    fn visit_str<E: Error>(self, _: &str) -> Result<SecretAt, E> {
        Err(E::custom(HOW))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<SecretAt, E> {
        Err(E::custom(HOW))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<SecretAt, E> {
        Err(E::custom(HOW))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<SecretAt, E> {
        Err(E::custom(HOW))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretAt, A::Error> {
        // Values are looked at only under the two keys, and are never repeated.
        let at = match map.next_key::<String>()?.as_deref() {
            Some("env") => SecretAt::Env(map.next_value()?),
            Some("file") => SecretAt::File(map.next_value()?),
            _ => return Err(A::Error::custom(HOW)),
        };
        if map.next_key::<String>()?.is_some() {
            return Err(A::Error::custom(
                "a secret lies in one place: `env` or `file`",
            ));
        }
        match &at {
            SecretAt::Env(name) if name.trim().is_empty() => Err(A::Error::custom(HOW)),
            SecretAt::File(path) if path.as_os_str().is_empty() => Err(A::Error::custom(HOW)),
            _ => Ok(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::{SecretAt, read_secret, whole};

    #[test]
    fn a_secret_in_the_settings_is_refused_and_not_repeated() {
        for text in [
            r#""hunter22""#,
            "12345678",
            "-5",
            "1.5",
            r#"{"value": "hunter22"}"#,
            "{}",
        ] {
            let error = serde_json::from_str::<SecretAt>(text)
                .unwrap_err()
                .to_string();
            assert!(
                error.contains("give `{env: NAME}` or `{file: /path}`"),
                "{error}"
            );
            assert!(
                !error.contains("hunter22") && !error.contains("12345678"),
                "{error}"
            );
        }
        let both = serde_json::from_str::<SecretAt>(r#"{"env": "A", "file": "b"}"#);
        assert!(both.is_err());
    }

    #[test]
    fn a_file_is_read_without_the_white_space_around_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = SecretAt::File(folder.path().join("token"));
        let missing = read_secret(&at).unwrap_err();
        assert!(
            missing.ends_with("cannot be read: entity not found"),
            "{missing}"
        );
        std::fs::write(folder.path().join("token"), " s3cret\r\n").unwrap();
        assert_eq!(read_secret(&at).unwrap().expose_secret(), "s3cret");
        assert!(!format!("{:?}", read_secret(&at)).contains("s3cret"));
        for text in ["", " \n", "two\nlines", "a\u{1b}b"] {
            assert!(whole(&at, text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_variable_that_is_not_there_is_named() {
        let error = read_secret(&SecretAt::Env("GUARDLAKE_NO_SUCH".to_owned())).unwrap_err();
        assert_eq!(error, "environment variable GUARDLAKE_NO_SUCH is not set");
    }
}
