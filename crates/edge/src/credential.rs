//! The application's own credential, with which it asks the API server.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use runtime::Instant;

/// How long a file's content is used before it is read again: the kubelet replaces it some time before it ends.
const FRESH: Duration = Duration::from_secs(10);

/// A mounted file, else a variable. No `Debug` of its values.
pub(crate) struct Credential {
    /// Of the file; empty if there is none.
    path: String,
    /// The variable; empty if there is none.
    fallback: Rc<str>,
    /// What was read last, and when.
    read: RefCell<Option<(Rc<str>, Instant)>>,
}

impl Credential {
    pub(crate) fn new(path: String, fallback: String) -> Self {
        Self {
            path,
            fallback: fallback.into(),
            read: RefCell::default(),
        }
    }

    /// The token; nothing if there is none.
    pub(crate) fn get(&self) -> Option<Rc<str>> {
        if let Some((token, at)) = &*self.read.borrow()
            && at.elapsed() < FRESH
        {
            return Some(token.clone());
        }
        self.read()
    }

    /// Another token than `refused`, which the API server did not take: what the file has now, else the variable. Nothing if there is no
    /// other.
    pub(crate) fn other_than(&self, refused: &str) -> Option<Rc<str>> {
        let is_other = |token: &Rc<str>| !token.is_empty() && **token != *refused;
        let fallback = || Some(self.fallback.clone()).filter(is_other);
        self.read().filter(is_other).or_else(fallback)
    }

    fn read(&self) -> Option<Rc<str>> {
        let mounted = (!self.path.is_empty())
            .then(|| std::fs::read_to_string(&self.path).ok())
            .flatten();
        let mounted = mounted.as_deref().map(str::trim);
        let token: Rc<str> = match mounted {
            Some(token) if !token.is_empty() => token.into(),
            _ => self.fallback.clone(),
        };
        let token = (!token.is_empty()).then_some(token);
        *self.read.borrow_mut() = token.clone().map(|token| (token, Instant::now()));
        token
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use runtime::simulated::{Servers, run};

    use super::*;

    #[test]
    fn a_file_is_read_again_after_a_while_and_when_it_was_refused() {
        let path = std::env::temp_dir().join(format!("credential-{}", std::process::id()));
        let credential = Credential::new(path.display().to_string(), "fallback".into());
        run(Servers::default(), async move {
            assert_eq!(credential.get().as_deref(), Some("fallback"));
            fs::write(&path, " first\n").unwrap();
            runtime::sleep(FRESH).await;
            assert_eq!(credential.get().as_deref(), Some("first"));
            fs::write(&path, "second").unwrap();
            assert_eq!(credential.get().as_deref(), Some("first"), "not yet");
            assert_eq!(credential.other_than("second").as_deref(), Some("fallback"));
            assert_eq!(credential.get().as_deref(), Some("second"));
            fs::write(&path, "third").unwrap();
            assert_eq!(credential.other_than("second").as_deref(), Some("third"));
            fs::remove_file(&path).unwrap();
            assert_eq!(credential.other_than("third").as_deref(), Some("fallback"));
        });
    }

    #[test]
    fn without_file_and_variable_there_is_none() {
        run(Servers::default(), async {
            let credential = Credential::new(String::new(), String::new());
            assert_eq!(credential.get(), None);
        });
    }
}
