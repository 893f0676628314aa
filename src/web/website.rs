//! All that is served over HTTPS. The built-in files, which are most of what is asked for, are answered before the routes are
//! looked at, as the routes would: those cost each request more than all the rest of it.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::HttpBody;
use axum::http::{Method, Request};
use axum::response::Response;
use axum::routing::future::RouteFuture;
use futures_util::future::Either;
use tower::Service;

use super::assets;
use super::entrance::Entrance;
use crate::front::Plain;

/// The routes, and the way past them.
#[derive(Clone)]
pub(crate) struct Website {
    routes: Router,
    /// `None` where somebody has to be let in, or a folder of the operator's is served.
    open: Option<Arc<Entrance>>,
}

impl Website {
    /// `open` says whether all of the built-in files are there for everybody.
    pub(crate) fn new(routes: Router, entrance: Arc<Entrance>, open: bool) -> Self {
        let open = open.then_some(entrance);
        Self { routes, open }
    }

    fn file<B>(&self, request: &Request<B>) -> Option<Response> {
        let entrance = self.open.as_ref()?;
        let plain = request.extensions().get::<Plain>().is_some();
        if plain || request.method() != Method::GET {
            return None;
        }
        let mut answer = assets::plain_file(request.uri().path(), request.headers())?;
        entrance.policy.apply(answer.headers_mut());
        Some(answer)
    }
}

impl<B> Service<Request<B>> for Website
where
    B: HttpBody<Data = axum::body::Bytes, Error: Into<axum::BoxError>> + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response, Infallible>>, RouteFuture<Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<B>>::poll_ready(&mut self.routes, cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.file(&request) {
            Some(answer) => Either::Left(ready(Ok(answer))),
            None => Either::Right(self.routes.call(request)),
        }
    }
}
