//! One connection per instance, shared by the requests in flight.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};

use spin_sdk::pg::Connection;
use spin_sdk::variables;
use spin_sdk::wasip3::wit_bindgen::StreamWriter;
use spin_sdk::wasip3::wit_stream;

thread_local! {
    static CURRENT: RefCell<Weak<Shared>> = const { RefCell::new(Weak::new()) };
    static ADDRESS: OnceCell<String> = const { OnceCell::new() };
}

/// The connection, and who waits for it to be opened: the end of a stream wakes them, because a plain waker
/// does not reach from one request to another.
#[derive(Default)]
pub(crate) struct Shared {
    connection: OnceCell<Rc<Connection>>,
    opening: Cell<bool>,
    waiting: RefCell<Vec<StreamWriter<u8>>>,
}

impl Shared {
    /// What the requests in flight share.
    pub(crate) fn join() -> Rc<Self> {
        CURRENT.with_borrow_mut(|current| {
            current.upgrade().unwrap_or_else(|| {
                let shared = Rc::new(Self::default());
                *current = Rc::downgrade(&shared);
                shared
            })
        })
    }

    /// The connection, opened by whoever comes first.
    pub(crate) async fn connection(&self) -> Result<Rc<Connection>, String> {
        while self.opening.get() {
            let (writer, mut reader) = wit_stream::new::<u8>();
            self.waiting.borrow_mut().push(writer);
            reader.next().await;
        }
        if let Some(connection) = self.connection.get() {
            return Ok(connection.clone());
        }
        let _opening = Opening::begin(self);
        let connection = Connection::open(address().await?).await;
        let connection = connection.map_err(|error| format!("{error:?}"))?;
        Ok(self.connection.get_or_init(|| Rc::new(connection)).clone())
    }
}

/// An attempt to open the connection. Its end wakes who waits, whatever came of it.
struct Opening<'a>(&'a Shared);

impl<'a> Opening<'a> {
    fn begin(shared: &'a Shared) -> Self {
        shared.opening.set(true);
        Self(shared)
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.opening.set(false);
        self.0.waiting.take();
    }
}

/// Where the database is: asked once per instance.
async fn address() -> Result<String, String> {
    if let Some(known) = ADDRESS.with(|address| address.get().cloned()) {
        return Ok(known);
    }
    let address = variables::get("database").await;
    let address = address.map_err(|error| format!("{error:?}"))?;
    Ok(ADDRESS.with(|known| known.get_or_init(|| address).clone()))
}
