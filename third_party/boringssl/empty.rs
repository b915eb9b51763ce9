// Empty: cargo wants a source file to accept the manifest.
