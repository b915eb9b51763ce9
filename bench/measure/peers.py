"""nginx and HAProxy: their configurations, and what is done to start them.

One worker, one thread; TLS 1.3 with AES-128-GCM, which is what Envoy and the
load program agree on. nginx runs without its master process, so that it is one
process like the others.
"""

import pathlib

from measure import config


def _nginx(gateway, place):
    fixtures = place.fixtures
    truststore = "%s/%s" % (fixtures, gateway.truststore)
    # nginx insists on a file whose names it sends.
    names = truststore if gateway.send_names else fixtures + "/truststore_1.pem"
    trusted = [] if gateway.send_names else ["ssl_trusted_certificate %s;" % truststore]
    header = (
        ["proxy_set_header ssl-client-verify $ssl_client_verify;",
         "proxy_set_header ssl-client-subject-dn $ssl_client_s_dn;",
         "proxy_set_header ssl-client-issuer-dn $ssl_client_i_dn;",
         "proxy_set_header ssl-client-cert $ssl_client_escaped_cert;"]
        if gateway.peer_header else []
    )
    location = ['return 200 "ok\\n";']
    upstream = []
    if gateway.proxied:
        upstream = [
            "upstream up { server 127.0.0.1:%d; keepalive 64; }" % place.upstream_port
        ]
        location = [
            "proxy_pass http://up;", "proxy_http_version 1.1;",
            'proxy_set_header Connection "";', *header,
        ]
    names_of_domains = (
        [config.domain_name(n) for n in range(gateway.domains)] if gateway.domains else [""]
    )
    resumption = (
        ["ssl_session_tickets on;", "ssl_session_cache shared:bench:10m;"]
        if gateway.resumption else ["ssl_session_tickets off;", "ssl_session_cache off;"]
    )
    listen = "127.0.0.1:%d ssl%s%s" % (
        place.port, " http2" if gateway.h2 else "", "" if gateway.domains else " default_server",
    )
    servers = []
    for name in names_of_domains:
        servers += [
            "server {", "listen %s;" % listen, 'server_name "%s";' % name,
            "ssl_certificate %s/server.pem;" % fixtures,
            "ssl_certificate_key %s/server.key;" % fixtures,
            "ssl_protocols TLSv1.3;",
            "ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;",
            "ssl_ecdh_curve X25519;",
            *resumption,
            "ssl_verify_client on;", "ssl_verify_depth 4;",
            "ssl_client_certificate %s;" % names, *trusted,
            "location / {", *location, "}", "}",
        ]
    never = config.NEVER_SECONDS
    folder = place.folder
    text = "\n".join(
        ["daemon off;", "master_process off;", "worker_processes 1;",
         "pid %s/nginx.pid;" % folder, "error_log stderr warn;",
         "events { worker_connections 4096; }", "http {", "access_log off;",
         "keepalive_timeout %ds;" % never, "keepalive_requests 1000000000;",
         "large_client_header_buffers 4 64k;", "server_names_hash_max_size 8192;",
         "client_body_temp_path %s/body;" % folder, "proxy_temp_path %s/proxy;" % folder,
         "fastcgi_temp_path %s/fastcgi;" % folder, "uwsgi_temp_path %s/uwsgi;" % folder,
         "scgi_temp_path %s/scgi;" % folder, *upstream, *servers, "}", ""]
    )
    path = pathlib.Path(folder, "nginx.conf")
    path.write_text(text, encoding="ascii")
    return ["-p", folder, "-e", "stderr", "-c", str(path)]


def _haproxy(gateway, place):
    fixtures = place.fixtures
    truststore = "%s/%s" % (fixtures, gateway.truststore)
    names = "" if gateway.send_names else " no-ca-names"
    trust = "ca-file %s verify required%s" % (truststore, names)
    tickets = "" if gateway.resumption else " no-tls-tickets"
    bind = (
        "bind 127.0.0.1:%d ssl ssl-min-ver TLSv1.3 curves X25519 alpn %s%s"
        % (place.port, "h2" if gateway.h2 else "http/1.1", tickets)
    )
    if gateway.domains:
        crt_list = pathlib.Path(place.folder, "crt-list.txt")
        crt_list.write_text(
            "".join(
                "%s/server_both.pem [%s] %s\n" % (fixtures, trust, config.domain_name(n))
                for n in range(gateway.domains)
            ),
            encoding="ascii",
        )
        bind += " crt-list %s" % crt_list
    else:
        bind += " crt %s/server_both.pem %s" % (fixtures, trust)
    answer = ["http-request return status 200 content-type text/plain string ok"]
    if gateway.proxied:
        answer = ["server up 127.0.0.1:%d" % place.upstream_port]
        if gateway.peer_header:
            answer.insert(0, "http-request set-header ssl-client-cert %[ssl_c_der,base64]")
    never = config.NEVER_SECONDS
    text = "\n".join(
        ["global", "maxconn 4000", "nbthread 1",
         "tune.ssl.cachesize %d" % (20000 if gateway.resumption else 0),
         # Room for the headers.
         "tune.bufsize 32768",
         "ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256",
         "defaults", "mode http", "timeout client %ds" % never, "timeout server %ds" % never,
         "timeout connect 5s", "timeout http-keep-alive %ds" % never,
         "http-reuse always",
         "listen bench", bind, *answer, ""]
    )
    path = pathlib.Path(place.folder, "haproxy.cfg")
    path.write_text(text, encoding="ascii")
    return ["-db", "-f", str(path)]


def arguments(gateway, place):
    """Writes the configuration; returns the program's arguments."""
    return {config.NGINX: _nginx, config.HAPROXY: _haproxy}[gateway.server](gateway, place)
