//! What a call says of itself, as header values.
//!
//! Both directions begin here: the caller's half sends it, the provider's half compares it with what
//! arrived. A provider looks a service up by its attachments, so they count before the body's strings.

use std::borrow::Cow;

use dubbo_codec::{FrameHead, Request, RequestPeek, Serialization, ServiceKey, Target, Text};

use super::few::Few;
use super::read::{Read, Shown, text};
use super::refusal::{Class, Why, cut};
use super::seen::{Seen, Words};
use crate::config::{Config, CustomPaths, Generic, OverLimit};
use crate::header::{Decimal, encode_text, push_segment};
use crate::names;
use crate::seal::Sum;

/// The methods by which generic calls are made.
const INVOKE: [&str; 2] = ["$invoke", "$invokeAsync"];

/// How many headers of the table a request has at most, and how many bytes their names and the
/// values of known length have together.
pub(super) const OWN_HEADERS: usize = 13;
pub(super) const OWN_BYTES: usize = 320;

/// What a call says of itself.
#[derive(Debug)]
pub(super) struct Told<'a> {
    pub(super) words: Cow<'a, Words>,
    application: Option<Cow<'a, str>>,
    generic: Option<Cow<'a, str>>,
    pub(super) deadline_ms: Option<u32>,
    pub(super) attachments: Few<Shown<'a>>,
    /// All attachments of the list are among the headers.
    pub(super) whole: bool,
}

impl<'a> Told<'a> {
    /// What a whole request says by its names. [`read`](Self::read) adds the rest in place: this has
    /// room for some attachments, and is not small.
    pub(super) fn words_of(
        request: &Request<'a>,
        config: &Config,
        seen: &'a mut Seen,
    ) -> Result<Cow<'a, Words>, Why> {
        let (target, peek) = (request.target(), request.peek());
        seen.words(&target, peek, || {
            let (key, own_path) = service(&target, config)?;
            words(&key, own_path.as_deref(), peek, config)
        })
    }

    /// What a whole request says by its attachments.
    pub(super) fn read(&mut self, request: &Request<'a>, config: &'a Config) -> Result<(), Why> {
        let read = Read::of(request.attachments(), config, &mut self.attachments);
        if self.generic.is_some() {
            let generic = text(read.generic).map(encode_text);
            self.generic = generic.or_else(|| self.generic.take());
        }
        self.application = text(read.remote_application)
            .or_else(|| text(read.application))
            .map(encode_text);
        self.deadline_ms = read.deadline();
        self.whole = true;
        match (self.over_limit(config), config.over_limit) {
            (None, _) => Ok(()),
            (Some(_), OverLimit::RouteWithoutAttachments) => {
                self.whole = false;
                self.over_limit(config).map_or(Ok(()), Err)
            }
            (Some(why), OverLimit::Refuse) => Err(why),
        }
    }

    /// What the strings say that a body begins with.
    pub(super) fn of_peek(peek: &RequestPeek<'a>, config: &Config) -> Result<Self, Why> {
        let service = peek.service.to_str_lossy();
        let interface = service.rsplit('/').next().unwrap_or(&service);
        let version = peek
            .version
            .map_or(Cow::Borrowed(""), |version| version.to_str_lossy());
        let key = ServiceKey::new(interface, "", &version)
            .map_err(|e| Why::new(Class::NoName, e.to_string()))?;
        let words = words(&key, None, peek, config)?;
        let told = Self::of_words(Cow::Owned(words), peek);
        told.over_limit(config).map_or(Ok(told), Err)
    }

    /// What can be said of a body that cannot be read.
    pub(super) fn unreadable(serialization: Serialization, config: &Config) -> Self {
        let name = named(serialization);
        let words = Words {
            authority: names::UNREADABLE_AUTHORITY.into(),
            path: format!("/unreadable/{name}"),
            other_path: None,
            version: None,
            group: None,
            sum: Sum::default(),
        };
        Self {
            words: Cow::Owned(words.summed(&config.sealer)),
            application: None,
            generic: None,
            deadline_ms: None,
            attachments: Few::default(),
            whole: false,
        }
    }

    /// What a call says by its names and the strings of its body.
    pub(super) fn of_words(words: Cow<'a, Words>, peek: &RequestPeek<'a>) -> Self {
        Self {
            words,
            application: None,
            generic: peek.is_generic().then_some(Cow::Borrowed("true")),
            deadline_ms: None,
            attachments: Few::default(),
            whole: false,
        }
    }

    /// All of it but the attachments, pseudo headers first.
    pub(super) fn headers(&self, head: &FrameHead, header: &mut impl FnMut(&str, &str)) {
        header(names::METHOD, "POST");
        header(names::SCHEME, "http");
        header(names::AUTHORITY, &self.words.authority);
        header(names::PATH, &self.words.path);
        header(names::CONTENT_TYPE, names::CONTENT_TYPE_DUBBO);
        let optional = [
            (names::VERSION, self.words.version.as_deref()),
            (names::GROUP, self.words.group.as_deref()),
            (names::APPLICATION, self.application.as_deref()),
            (names::GENERIC, self.generic.as_deref()),
        ];
        for (name, value) in optional {
            value.iter().for_each(|value| header(name, value));
        }
        if let Some(millis) = self.deadline_ms {
            header(names::TIMEOUT, Decimal::new(millis).as_str());
        }
        header(names::SERIALIZATION, &named(head.serialization));
        if !head.two_way {
            header(names::ONE_WAY, "true");
        }
    }

    /// The attachments that are headers.
    pub(super) fn shown(&self) -> impl Iterator<Item = &Shown<'a>> + Clone {
        self.attachments.iter().filter(|_| self.whole)
    }

    /// Why these are too many headers, if they are.
    fn over_limit(&self, config: &Config) -> Option<Why> {
        let Words {
            authority,
            path,
            version,
            group,
            ..
        } = &*self.words;
        let values = [
            version.as_deref(),
            group.as_deref(),
            self.application.as_deref(),
            self.generic.as_deref(),
        ];
        let values = values.into_iter().flatten().map(str::len);
        let attachments = self.shown();
        let count = OWN_HEADERS + attachments.clone().count();
        let shown = attachments.map(|shown| shown.header.len() + shown.value.len());
        let bytes = OWN_BYTES + authority.len() + path.len() + values.chain(shown).sum::<usize>();
        let limits = &config.limits;
        let is_over = count > limits.headers as usize || bytes > limits.header_bytes as usize;
        let text = || {
            format!(
                "the call has {count} headers of {bytes} bytes, more than {} or {}",
                limits.headers, limits.header_bytes
            )
        };
        is_over.then(|| Why::new(Class::TooManyHeaders, text()))
    }
}

/// What the names of a call come to, if they can be headers.
fn words(
    key: &ServiceKey,
    own_path: Option<&str>,
    peek: &RequestPeek<'_>,
    config: &Config,
) -> Result<Words, Why> {
    check_generic(peek, config)?;
    if [key.interface(), key.group(), key.version()]
        .iter()
        .any(|name| name.contains('\u{fffd}'))
    {
        let text = "interface, group or version is no Unicode text";
        return Err(Why::new(Class::NoName, text));
    }
    let of = |method| path(own_path.unwrap_or_else(|| key.interface()), method);
    let (path, other_path) = match (peek.is_generic(), config.generic) {
        (false, _) => (of(peek.method)?, None),
        (true, Generic::Invoke) => (of(peek.method)?, of(peek.effective_method()).ok()),
        (true, _) => (of(peek.effective_method())?, of(peek.method).ok()),
    };
    let told = |name: &str| (!name.is_empty()).then(|| encode_text(Text::new(name)).into_owned());
    Ok(Words {
        authority: key.host().into(),
        path,
        other_path,
        version: told(key.version()),
        group: told(key.group()),
        sum: Sum::default(),
    }
    .summed(&config.sealer))
}

/// Whether a call by a name of generic calls, or in their form, may be made.
fn check_generic(peek: &RequestPeek<'_>, config: &Config) -> Result<(), Why> {
    let is_invoke = |method: Text<'_>| INVOKE.iter().any(|invoke| method == *invoke);
    let text = match (peek.is_generic(), config.generic) {
        (false, _) if is_invoke(peek.method) => {
            let method = peek.method;
            format!("`{method}` with parameters of its own is no generic call")
        }
        (true, Generic::Refuse) => "generic calls are not allowed here".into(),
        // The provider may still find a name in it.
        (true, Generic::Method) if is_invoke(peek.effective_method()) => {
            "the method that this generic call means cannot be told".into()
        }
        _ => return Ok(()),
    };
    Err(Why::new(Class::Generic, text))
}

/// The service that is called, if the call itself leaves no doubt about it, and the path by which
/// the provider finds it where that is not the interface's.
fn service<'a>(
    target: &Target<'a>,
    config: &Config,
) -> Result<(ServiceKey, Option<Cow<'a, str>>), Why> {
    if target.unresolved {
        let text = "one of path, interface, group and version is no plain value";
        return Err(Why::new(Class::NoName, text));
    }
    let key = target
        .service_key()
        .map_err(|e| Why::new(Class::NoName, e.to_string()))?;
    let path = target.path.unwrap_or(Text::new("")).to_str_lossy();
    let is_own = path
        .strip_suffix(key.interface())
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('/'));
    match (is_own, config.custom_paths) {
        (true, _) | (false, CustomPaths::Trust) => Ok((key, None)),
        (false, CustomPaths::Show) => Ok((key, Some(path))),
        (false, CustomPaths::Refuse) => {
            let text = format!(
                "the path `{}` is not that of the interface `{}`; option `custom_paths`",
                cut(&path),
                cut(key.interface())
            );
            Err(Why::new(Class::CustomPath, text))
        }
    }
}

/// `/<service>/<method>`; a service of a path of its own may have several segments.
fn path(service: &str, method: Text<'_>) -> Result<String, Why> {
    let mut path = String::with_capacity(service.len() + 32);
    let segments = service.split('/').map(Text::new).chain([method]);
    let is_path = segments.fold(true, |so_far, segment| {
        path.push('/');
        so_far && push_segment(&mut path, segment)
    });
    if is_path {
        return Ok(path);
    }
    let text = format!(
        "`{}` and `{}` make no path",
        cut(service),
        cut(&method.to_str_lossy())
    );
    Err(Why::new(Class::NoName, text))
}

/// The name of a serialization, or else its number.
fn named(serialization: Serialization) -> Cow<'static, str> {
    match serialization.name() {
        Some(name) => name.into(),
        None => serialization.id().to_string().into(),
    }
}
