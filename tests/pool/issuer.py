"""An issuer of SciTokens for tests: its own key, real signatures, and what a schedd needs to know of it."""

import datetime
import ipaddress
import json
import sqlite3
import time
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import jwt
import scitokens  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ISSUER = "https://issuer.test/vo"
AUDIENCE = "https://pool.test"


class Issuer:
    """Signs tokens for the virtual organisation `/vo`."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def token(self, subject: str, *groups: str, scope: str = "condor:/READ condor:/WRITE", **claims: Any) -> str:
        """A signed token that lasts ten minutes, or `lifetime` seconds."""
        lifetime = claims.pop("lifetime", 600)
        made = scitokens.SciToken(key=self._key, key_id="k1", algorithm="ES256")
        stated = {"aud": AUDIENCE, "jti": str(uuid.uuid4()), "wlcg.ver": "1.0", "scope": scope, "sub": subject}
        for name, value in (stated | {"wlcg.groups": list(groups)} | claims).items():
            made[name] = value
        return str(made.serialize(issuer=claims.get("iss", ISSUER), lifetime=lifetime).decode())

    def certificate(self, folder: Path) -> tuple[Path, Path]:
        """A certificate for 127.0.0.1 that is its own authority, and its key."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        now = datetime.datetime.now(datetime.UTC)
        here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        made = (
            x509.CertificateBuilder(name, name, self._key.public_key(), x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(here, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        certificate, key = folder / "cert.pem", folder / "key.pem"
        certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL)
        key.write_bytes(self._key.private_bytes(*form, serialization.NoEncryption()))
        key.chmod(0o600)
        return certificate, key

    def publish(self, cache: Path) -> None:
        """Put the public key where HTCondor keeps keys it has fetched: `cache` is its SEC_SCITOKENS_CACHE."""
        public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key()))
        keys = {"keys": [{**public, "kid": "k1", "alg": "ES256", "use": "sig"}]}
        now = int(time.time())
        told = json.dumps({"jwks": keys, "expires": now + 86_400, "next_update": now + 80_000})
        (cache / "scitokens").mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(cache / "scitokens/scitokens_cpp.sqllite")) as database, database:
            database.execute("create table keycache (issuer text unique primary key not null, keys text not null)")
            database.execute("insert into keycache values (?, ?)", (ISSUER, told))
