//! What is called.

use dubbo_codec::{Parameters, Request, RequestPeek, ServiceKey, Text};

/// What a request calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Call {
    /// The version of the protocol.
    pub(crate) dubbo: String,
    /// Interface, group and version by which a provider looks the service up; empty for none.
    pub(crate) interface: String,
    pub(crate) group: String,
    pub(crate) version: String,
    /// What stands in the service's place in the body, if it is not the interface.
    pub(crate) path: Option<String>,
    pub(crate) method: String,
    /// The method that a generic call names.
    pub(crate) generic_method: Option<String>,
    /// The parameters' types as Java writes them; old dubbox peers send their number alone.
    pub(crate) parameters: Option<Vec<String>>,
}

impl Call {
    /// From the strings at the beginning, and from the attachments where those could be read.
    pub(super) fn of(peek: &RequestPeek<'_>, whole: Option<&Request<'_>>) -> Self {
        let service = peek.service.to_string();
        let key = match whole {
            Some(request) => request.target().service_key(),
            None => {
                let interface = service.rsplit('/').next().unwrap_or_default();
                let version = peek.version.unwrap_or(Text::new("")).to_str_lossy();
                ServiceKey::new(interface, "", &version)
            }
        };
        let (interface, group, version) = match &key {
            Ok(key) => (key.interface(), key.group(), key.version()),
            Err(_) => (&*service, "", ""),
        };
        let effective = peek.effective_method();
        Self {
            dubbo: peek.dubbo_version.to_string(),
            interface: interface.into(),
            group: group.into(),
            version: version.into(),
            path: (service != interface).then(|| service.clone()),
            method: peek.method.to_string(),
            generic_method: (effective != peek.method).then(|| effective.to_string()),
            parameters: match peek.parameters {
                Parameters::Types(types) => Some(java_types(&types.to_str_lossy())),
                Parameters::Count(_) => None,
            },
        }
    }

    /// The service as Dubbo writes it: `group/interface:version`.
    pub(crate) fn service(&self) -> String {
        let (mut group, mut version) = (self.group.clone(), self.version.clone());
        if !group.is_empty() {
            group.push('/');
        }
        if !version.is_empty() {
            version.insert(0, ':');
        }
        format!("{group}{}{version}", self.interface)
    }
}

/// JVM descriptors (JVM specification, 4.3.2) as Java writes types: `[J` is `long[]`.
fn java_types(descriptors: &str) -> Vec<String> {
    let mut types = Vec::new();
    let mut rest = descriptors;
    while !rest.is_empty() {
        let element = rest.trim_start_matches('[');
        let dimensions = rest.len() - element.len();
        let (name, behind) = match element.strip_prefix('L').and_then(|e| e.split_once(';')) {
            Some((class, behind)) => (class.replace('/', "."), behind),
            None => {
                let mut chars = element.chars();
                (primitive(chars.next()), chars.as_str())
            }
        };
        types.push(name + &"[]".repeat(dimensions));
        rest = behind;
    }
    types
}

fn primitive(descriptor: Option<char>) -> String {
    let name = match descriptor {
        Some('Z') => "boolean",
        Some('B') => "byte",
        Some('C') => "char",
        Some('D') => "double",
        Some('F') => "float",
        Some('I') => "int",
        Some('J') => "long",
        Some('S') => "short",
        Some(other) => return other.into(),
        None => "",
    };
    name.into()
}

#[cfg(test)]
mod tests {
    use super::java_types;

    #[test]
    fn descriptors_become_types() {
        let types = java_types("Ljava/lang/String;I[J[[Ldemo/Person;Z");
        let expected = [
            "java.lang.String",
            "int",
            "long[]",
            "demo.Person[][]",
            "boolean",
        ];
        assert_eq!(types, expected);
        assert_eq!(java_types(""), [""; 0]);
    }
}
