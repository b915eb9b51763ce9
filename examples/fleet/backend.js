// A backend that answers only whoever shows a certificate that it knows: what
// a stage's client certificate is for.
//
//   node backend.js KEY CERTIFICATE CLIENTS
//
// CLIENTS is a file of PEM certificates; it is read again on SIGHUP. Prints its
// port. Answers with the SHA-256 fingerprint of the client's certificate.
'use strict';
const fs = require('fs');
const https = require('https');

const [key, certificate, clients] = process.argv.slice(2);
const options = () => ({
  key: fs.readFileSync(key),
  cert: fs.readFileSync(certificate),
  ca: fs.readFileSync(clients, 'latin1').match(/-----BEGIN[^]*?-----END CERTIFICATE-----/g) || [],
});

const server = https.createServer(
  {...options(), requestCert: true, rejectUnauthorized: true},
  (request, response) => {
    const seen = request.socket.getPeerCertificate();
    response.end(seen.fingerprint256.replace(/:/g, '').toLowerCase());
  });
server.keepAliveTimeout = 60000;
process.on('SIGHUP', () => server.setSecureContext(options()));
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
