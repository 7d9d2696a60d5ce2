"""A certificate of this machine's own, which those trust who are told to."""

import datetime
import hashlib
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def certificate(folder: Path) -> Path:
    """A certificate of 127.0.0.1's and its key, in one file; those trust it whose X509_CERT_DIR is the folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "storage")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / "storage.pem"
    file.write_bytes(made.public_bytes(pem) + private)
    file.chmod(0o600)
    # OpenSSL finds a certificate in a directory by the hash of its name, in the canonical form of RFC 5280's names.
    common_name = b"\x06\x03\x55\x04\x03\x0c\x07storage"
    encoded = bytes([0x31, len(common_name) + 2, 0x30, len(common_name)]) + common_name
    number = int.from_bytes(hashlib.sha1(encoded, usedforsecurity=False).digest()[:4], "little")
    (folder / f"{number:08x}.0").write_bytes(made.public_bytes(pem))
    return file
