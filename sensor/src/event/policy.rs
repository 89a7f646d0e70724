//! What the policy says of a workload and of what a process does in it.

/// What a workload is for (`weir.workload.role`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// It answers requests with a model.
    Serving,
    /// It makes models.
    Training,
    /// It builds images or packages.
    Build,
    /// A person works in it.
    Notebook,
    /// It copies files to where they are kept.
    Backup,
    /// It brings models or programs to others.
    Deployer,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 6] =
        [Role::Serving, Role::Training, Role::Build, Role::Notebook, Role::Backup, Role::Deployer];

    /// The value of the field.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Serving => "serving",
            Role::Training => "training",
            Role::Build => "build",
            Role::Notebook => "notebook",
            Role::Backup => "backup",
            Role::Deployer => "deployer",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// What the policy says anything about for a workload (`weir.workload.declares`): what is not declared then departs from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Declares {
    /// What may load weights there.
    pub loaders: bool,
    /// What may write artefacts there.
    pub writers: bool,
    /// Where its bytes may go, besides what is declared for all.
    pub destinations: bool,
}

impl Declares {
    /// Every name that the field can have.
    pub const NAMES: [&str; 3] = ["loaders", "writers", "destinations"];

    /// The names of what is declared.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let is = [self.loaders, self.writers, self.destinations];
        Declares::NAMES.into_iter().zip(is).filter_map(|(name, is)| is.then_some(name))
    }

    /// This is declared as well; what is no name changes nothing.
    #[must_use]
    pub fn with(self, name: &str) -> Declares {
        Declares {
            loaders: self.loaders || name == "loaders",
            writers: self.writers || name == "writers",
            destinations: self.destinations || name == "destinations",
        }
    }
}

/// What a process is declared to be in its workload (`weir.process.declared`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeclaredAs {
    /// It may load weights: the file of the event, if the event has one.
    pub loader: bool,
    /// It may write artefacts: the file of the event, if the event has one.
    pub writer: bool,
}

impl DeclaredAs {
    /// Every name that the field can have.
    pub const NAMES: [&str; 2] = ["loader", "writer"];

    /// The names of what it is.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let is = [self.loader, self.writer];
        DeclaredAs::NAMES.into_iter().zip(is).filter_map(|(name, is)| is.then_some(name))
    }

    /// It is this as well; what is no name changes nothing.
    #[must_use]
    pub fn with(self, name: &str) -> DeclaredAs {
        DeclaredAs { loader: self.loader || name == "loader", writer: self.writer || name == "writer" }
    }
}
