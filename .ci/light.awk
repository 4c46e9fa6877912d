# Cargo.toml without the examples, the other packages and the development dependencies that talk to
# an operating system.
/^\[/ { example = /^\[\[example/; workspace = /^\[workspace/ }
example || /^(mio|tokio) = / { next }
workspace && !/^\[workspace/ { next }
{ print }
/^\[package\]$/ { print "autoexamples = false" }
