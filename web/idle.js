// A service worker that does nothing: see trust.js.
