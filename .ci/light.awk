# Cargo.toml without the examples and without the development dependencies that talk to an operating
# system; the tests of header maps get theirs from `http`, of which `hyper` has them.
/^\[/ { example = /^\[\[example/ }
example || /^(h2|hyper|hyper-util|mio|tokio|tokio-rustls) = / { next }
{ print }
/^\[package\]$/ { print "autoexamples = false" }
/^\[dev-dependencies\]$/ { print "hyper = { package = \"http\", version = \"1\" }" }
