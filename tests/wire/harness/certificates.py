"""Certificates for tests, made with the openssl command as users make theirs."""

import base64
import pathlib
import subprocess


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=30)


class Authority:
    def __init__(self, folder, name="test-ca"):
        self.folder = pathlib.Path(folder)
        self.key = self.folder / f"{name}.key"
        self.certificate = self.folder / f"{name}.crt"
        self._count = 0
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                 "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.certificate)

    @property
    def pem(self):
        return self.certificate.read_text()

    def issue(self, *names, common_name=None):
        """A certificate for these DNS names or addresses; returns the paths of certificate and key."""
        self._count += 1
        stem = self.folder / f"{self.certificate.stem}-{self._count}"
        listed = ",".join(("IP:" if name.replace(".", "").isdigit() else "DNS:") + name for name in names)
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-subj", f"/CN={common_name or names[0]}", "-keyout", f"{stem}.key", "-out", f"{stem}.csr")
        extensions = pathlib.Path(f"{stem}.ext")
        extensions.write_text(f"subjectAltName={listed}\n")
        _openssl("x509", "-req", "-in", f"{stem}.csr", "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial",
                 "-days", "1", "-extfile", extensions, "-out", f"{stem}.crt")
        return pathlib.Path(f"{stem}.crt"), pathlib.Path(f"{stem}.key")


def tls_secret(name, pair, namespace="default", ca=None):
    def encoded(text):
        return base64.b64encode(text.encode()).decode()
    certificate, key = pair
    lines = [f"  tls.crt: {encoded(certificate.read_text())}", f"  tls.key: {encoded(key.read_text())}"]
    if ca:
        lines.append(f"  ca.crt: {encoded(ca)}")
    listed = "\n".join(lines)
    return f"""apiVersion: v1
kind: Secret
metadata: {{name: {name}, namespace: {namespace}}}
type: kubernetes.io/tls
data:
{listed}
"""


def shown_subject(port, server_name=None, address="127.0.0.1"):
    """The subject of the certificate that openssl s_client is shown; None if the handshake fails."""
    named = ["-servername", server_name] if server_name else ["-noservername"]
    done = subprocess.run(["openssl", "s_client", "-connect", f"{address}:{port}", *named], input=b"",
                          capture_output=True, timeout=20)
    for line in done.stdout.decode(errors="replace").splitlines():
        if line.startswith("subject="):
            return line.removeprefix("subject=").replace(" ", "").removeprefix("CN=")
    return None
