//! Secrets of the hub's own namespace, read anew for every request.

use std::{collections::BTreeMap, fmt, sync::Arc};

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::ResourceExt;
use secrecy::SecretString;

use super::ProviderError;
use crate::shelf::{Key, Shelf};

/// Longest value that is looked at, in bytes.
const SIZE_MAX: usize = 64 * 1024;

/// The Secrets that providers may use.
#[derive(Clone, Default)]
pub struct Secrets {
    shelf: Arc<Shelf<Secret>>,
    namespace: String,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secrets").field(&self.namespace).finish()
    }
}

/// Version of each Secret that was read; none where there is no such Secret. Another version of
/// any of them means to read again.
pub(super) type Versions = BTreeMap<String, Option<String>>;

impl Secrets {
    /// The Secrets on a shelf that are in the hub's own namespace.
    #[must_use]
    pub fn new(shelf: Arc<Shelf<Secret>>, namespace: &str) -> Self {
        Self { shelf, namespace: namespace.to_owned() }
    }

    fn get(&self, name: &str) -> Option<Arc<Secret>> {
        self.shelf.get(&Key::new(&self.namespace, name))
    }

    /// Whether all Secrets still have these versions.
    pub(super) fn unchanged(&self, versions: &Versions) -> bool {
        versions.iter().all(|(name, version)| self.version(name) == *version)
    }

    fn version(&self, name: &str) -> Option<String> {
        self.get(name).map(|secret| {
            // A Secret made by a test has no version; its content is its version then.
            secret.resource_version().unwrap_or_default()
        })
    }

    /// One reading of several Secrets, which remembers their versions.
    pub(super) fn reading(&self) -> Reading<'_> {
        Reading { secrets: self, versions: Versions::new() }
    }
}

/// One reading of several Secrets.
pub(super) struct Reading<'a> {
    secrets: &'a Secrets,
    /// What was read.
    pub(super) versions: Versions,
}

impl Reading<'_> {
    /// The text under a key; none if the Secret lacks the key. `field` is where the provider
    /// names the Secret.
    pub(super) fn optional(
        &mut self,
        field: &str,
        name: &str,
        key: &str,
    ) -> Result<Option<SecretString>, ProviderError> {
        self.versions.insert(name.to_owned(), self.secrets.version(name));
        let secret = self.secrets.get(name).ok_or_else(|| ProviderError::NoSecret {
            field: field.to_owned(),
            secret: name.to_owned(),
            namespace: self.secrets.namespace.clone(),
        })?;
        let Some(ByteString(value)) = secret.data.as_ref().and_then(|data| data.get(key)) else {
            return Ok(None);
        };
        let unusable = |why| ProviderError::Secret {
            field: field.to_owned(),
            secret: name.to_owned(),
            key: key.to_owned(),
            why,
        };
        if value.len() > SIZE_MAX {
            return Err(unusable("has more than 64 KiB"));
        }
        let text = std::str::from_utf8(value).map_err(|_| unusable("is not text"))?;
        // A file with one line ends with a line break, which is no part of a credential.
        let text = text.trim();
        if text.is_empty() {
            return Err(unusable("is empty"));
        }
        Ok(Some(SecretString::from(text.to_owned())))
    }

    /// The text under a key that has to be there.
    pub(super) fn required(
        &mut self,
        field: &str,
        name: &str,
        key: &str,
    ) -> Result<SecretString, ProviderError> {
        self.optional(field, name, key)?.ok_or_else(|| ProviderError::Secret {
            field: field.to_owned(),
            secret: name.to_owned(),
            key: key.to_owned(),
            why: "is missing: add it",
        })
    }
}
