//! Scripts and style sheets without their comments, which are for those who read the files and a third of what would go over
//! the wire. Pure.
//!
//! Only whole lines are left out, so nothing has to be known of either language but this: no line that begins like a comment
//! is anything else. A test looks at the embedded files for the one exception, lines within a template literal.

use std::borrow::Cow;

/// The file without lines that are comments; any other file as it is.
pub(super) fn lean<'a>(path: &str, text: &'a [u8]) -> Cow<'a, [u8]> {
    let extension = path.rsplit('.').next();
    let line_comments = extension == Some("js");
    if !line_comments && extension != Some("css") {
        return Cow::Borrowed(text);
    }
    match std::str::from_utf8(text) {
        Ok(text) => Cow::Owned(kept(text, line_comments).into_bytes()),
        Err(_) => Cow::Borrowed(text),
    }
}

fn kept(text: &str, line_comments: bool) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut in_block = false;
    for line in text.split_inclusive('\n') {
        let begin = line.trim_start();
        if in_block {
            if let Some((_, rest)) = begin.split_once("*/") {
                in_block = false;
                kept.push_str(rest.trim_start());
            }
        } else if begin.starts_with("/*") {
            match begin.split_once("*/") {
                Some((_, rest)) if rest.trim().is_empty() => {}
                Some(_) => kept.push_str(line),
                None => in_block = true,
            }
        } else if !(line_comments && begin.starts_with("//")) {
            kept.push_str(line);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_code_stays() {
        let script = "// What it is.\n\n/**\n * @param {number} a\n */\nexport const f = (a) => a; // why\n  // more\n\
                      /** @type {any} */ (f).x = 1;\n/* one */\nconst url = \"https://x\";\n/* two\n*/ f();\n";
        let wanted = "\nexport const f = (a) => a; // why\n/** @type {any} */ (f).x = 1;\nconst url = \"https://x\";\nf();\n";
        assert_eq!(&*lean("a.js", script.as_bytes()), wanted.as_bytes());
        let style = "/* Tiles */\n.a { top: 0; } /* here */\n/*\n b\n*/\n.b { top: 1px; }\n";
        assert_eq!(
            &*lean("a.css", style.as_bytes()),
            b".a { top: 0; } /* here */\n.b { top: 1px; }\n"
        );
    }

    #[test]
    fn other_files_stay_as_they_are() {
        for path in ["index.html", "icon.svg", "a.json"] {
            assert_eq!(&*lean(path, b"// x\n"), b"// x\n", "{path}");
        }
        assert_eq!(&*lean("a.js", b"\xff// x\n"), b"\xff// x\n");
    }

    /// Within a template literal a line may begin like a comment and be none.
    #[test]
    fn no_template_literal_holds_what_looks_like_a_comment() {
        let web = concat!(env!("CARGO_MANIFEST_DIR"), "/web");
        let mut folders = vec![std::path::PathBuf::from(web)];
        let mut scripts = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "js") {
                    scripts += 1;
                    let text = std::fs::read_to_string(&path).unwrap();
                    let mut ticks = 0;
                    for line in kept(&text, true).lines() {
                        ticks += line.matches('`').count();
                        assert!(
                            ticks % 2 == 0,
                            "{}: a template literal over several lines: {line}",
                            path.display()
                        );
                    }
                }
            }
        }
        assert!(scripts > 40);
    }
}
