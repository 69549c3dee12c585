//! The signature of Standard Webhooks: `v1,` and base64 of HMAC-SHA256 over `{id}.{timestamp}.{body}`.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::Sha256;

/// One key of a receiver.
#[derive(Debug)]
pub(super) struct Key(SecretSlice<u8>);

impl Key {
    /// Reads `whsec_...`; the start may be missing.
    pub(super) fn parse(secret: &SecretString) -> Result<Key, String> {
        let text = secret.expose_secret();
        let text = text.strip_prefix("whsec_").unwrap_or(text);
        let bytes = BASE64_STANDARD.decode(text);
        let bytes = bytes.map_err(|_| "holds no `whsec_` and base64".to_owned())?;
        match bytes.len() {
            24..=64 => Ok(Key(SecretSlice::from(bytes))),
            len => Err(format!("holds a key of {len} bytes; 24 to 64 are due")),
        }
    }

    pub(super) fn sign(&self, id: &str, seconds: u64, body: &[u8]) -> String {
        // A key of whatever length is right for HMAC.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()) else {
            return String::new();
        };
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::Key;

    /// The example of the libraries of Standard Webhooks (`javascript/src/index.test.ts`, "sign function works").
    #[test]
    fn the_example_of_the_specification() {
        let key = Key::parse(&SecretString::from(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ))
        .unwrap();
        let signed = key.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in [
            "whsec_!",
            "whsec_c2hvcnQ=",
            "",
            &format!("whsec_{}", "AAAA".repeat(22)),
        ] {
            let error = Key::parse(&SecretString::from(text)).unwrap_err();
            assert!(!error.contains("c2hvcnQ"), "{error}");
        }
    }
}
