//! Where a message goes, and what must not be said of it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

/// An address with what must be hidden in whatever is said of it: tokens, and its own path, which in many webhooks is the token.
#[derive(Clone)]
pub(crate) struct Target {
    url: Url,
    hidden: Vec<SecretString>,
}

impl Target {
    /// An address over TLS; without TLS only to this machine, or where `plain` allows it. Errors do not repeat the address.
    pub(crate) fn parse(address: &str, plain: bool) -> Result<Target, String> {
        let url = Url::parse(address.trim()).map_err(|error| format!("is no address: {error}"))?;
        let this_machine = match url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => return Err("names no host".to_owned()),
        };
        match url.scheme() {
            "https" => {}
            "http" if plain || this_machine => {}
            "http" => return Err("must begin with https://".to_owned()),
            _ => return Err("must begin with https://".to_owned()),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not hold a user or a password".to_owned());
        }
        let mut target = Target {
            url,
            hidden: Vec::new(),
        };
        target.hide_address();
        Ok(target)
    }

    /// An address below this one: `/rest/api/3/issue` in addition to its own path.
    pub(crate) fn below(&self, path: &[&str]) -> Target {
        let mut target = self.clone();
        if let Ok(mut segments) = target.url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        target
    }

    /// With a query.
    pub(crate) fn with_query(mut self, pairs: &[(&str, &str)]) -> Target {
        self.url.query_pairs_mut().extend_pairs(pairs);
        self
    }

    /// Hides a secret in whatever is said of this target.
    pub(crate) fn hiding(mut self, secret: &SecretString) -> Target {
        self.hidden.push(secret.clone());
        self
    }

    /// `Bearer xoxb-...` as a header, hidden from logs and errors.
    pub(crate) fn header(start: &str, secret: &SecretString) -> Result<HeaderValue, String> {
        let text = format!("{start}{}", secret.expose_secret());
        let value = HeaderValue::from_str(&text);
        let mut value = value.map_err(|_| "holds what no header can".to_owned())?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// `Basic ...` of RFC 7617, to be used with [`Target::header`] and hidden like the secret itself.
    pub(crate) fn basic(user: &str, secret: &SecretString) -> SecretString {
        let pair = format!("{user}:{}", secret.expose_secret());
        SecretString::from(BASE64_STANDARD.encode(pair))
    }

    pub(super) fn url(&self) -> Url {
        self.url.clone()
    }

    /// What may be said of it.
    pub(crate) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Its host, for those who check addresses.
    pub(crate) fn address(&self) -> Option<Host<&str>> {
        self.url.host()
    }

    /// A text with the secrets in it struck out.
    pub(crate) fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.hidden {
            text = text.replace(secret.expose_secret(), "***");
        }
        text
    }

    fn hide_address(&mut self) {
        let mut hidden = vec![self.url.path().to_owned()];
        hidden.extend(self.url.path().split('/').map(str::to_owned));
        hidden.extend(self.url.query().map(str::to_owned));
        hidden.extend(self.url.query_pairs().map(|(_, value)| value.into_owned()));
        // Short parts are words such as `v2` and `services`, which a reply may hold for other reasons.
        hidden.retain(|part| part.len() >= 9);
        hidden.sort_by_key(|part| std::cmp::Reverse(part.len()));
        self.hidden = hidden.into_iter().map(SecretString::from).collect();
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Target").field(&self.host()).finish()
    }
}
