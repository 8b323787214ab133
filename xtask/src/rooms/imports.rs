//! What a file imports: the paths of its `use` items, and those that it writes out, from the crate's root. Tests are
//! left out.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Path, UseTree, Visibility};

/// A path from the crate's root.
pub(super) type Segments = Vec<String>;

/// What one file says of others.
#[derive(Default)]
pub(super) struct Imports {
    /// All paths into the crate, those below included.
    pub(super) paths: Vec<Segments>,
    /// The crates that it names, as the first words of paths.
    pub(super) crates: BTreeSet<String>,
    /// Names that it hands on, and whose they are.
    pub(super) handed_on: BTreeMap<String, Segments>,
    /// Where the file is.
    module: Segments,
    /// As the program beside the library knows the latter.
    crate_name: String,
}

impl Imports {
    /// Of the file with this text, which is the module `module` of the crate `crate_name`.
    pub(super) fn of(text: &str, crate_name: &str, module: &[String]) -> syn::Result<Self> {
        let mut imports =
            Self { module: module.to_vec(), crate_name: crate_name.to_owned(), ..Self::default() };
        imports.visit_file(&syn::parse_file(text)?);
        Ok(imports)
    }

    /// Adds those of another file of the same module.
    pub(super) fn add_all(&mut self, other: Self) {
        self.paths.extend(other.paths);
        self.crates.extend(other.crates);
        self.handed_on.extend(other.handed_on);
    }

    /// The same path from the crate's root; none if it leads out of the crate.
    fn absolute(&self, path: &[String]) -> Option<Segments> {
        let (first, rest) = path.split_first()?;
        let mut base = match first.as_str() {
            "crate" => Vec::new(),
            name if name == self.crate_name => Vec::new(),
            "self" => self.module.clone(),
            "super" => self.module[..self.module.len().checked_sub(1)?].to_vec(),
            _ => return None,
        };
        let more = rest.iter().take_while(|segment| *segment == "super").count();
        base.truncate(base.len().checked_sub(more)?);
        base.extend(rest[more..].iter().cloned());
        Some(base)
    }

    fn add(&mut self, path: &[String], name: Option<&str>) {
        // One word alone may be a crate in a `use` only, and there it is of no use.
        if let [first, _, ..] = path {
            self.crates.insert(first.clone());
        }
        let Some(path) = self.absolute(path) else { return };
        if let Some(name) = name {
            self.handed_on.insert(name.to_owned(), path.clone());
        }
        self.paths.push(path);
    }

    fn add_tree(&mut self, tree: &UseTree, prefix: &[String], public: bool) {
        let with = |segment: String| [prefix, &[segment]].concat();
        match tree {
            UseTree::Path(path) => self.add_tree(&path.tree, &with(path.ident.to_string()), public),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(tree, prefix, public)),
            UseTree::Glob(_) => self.add(prefix, None),
            UseTree::Name(name) if name.ident == "self" => self.add(prefix, None),
            UseTree::Name(name) => {
                let name = name.ident.to_string();
                self.add(&with(name.clone()), public.then_some(name.as_str()));
            }
            UseTree::Rename(rename) => {
                let name = rename.rename.to_string();
                self.add(&with(rename.ident.to_string()), public.then_some(name.as_str()));
            }
        }
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<Path>().is_ok_and(|path| path.is_ident("test"))
    })
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item(&mut self, item: &'ast Item) {
        if !matches!(item, Item::Mod(ItemMod { attrs, .. }) if is_test(attrs)) {
            visit::visit_item(self, item);
        }
    }

    /// `pub(super)` and the like say who may import, and import nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let public = !matches!(item.vis, Visibility::Inherited);
        self.add_tree(&item.tree, &[], public);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let segments: Segments = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.add(&segments, None);
        visit::visit_path(self, path);
    }
}
