-- What members said of the roots that they trust, and what they presented last.
create table node_trust (
  node text primary key references nodes (id),
  -- Hexadecimal fingerprints of roots, separated by spaces.
  roots text not null,
  -- Hexadecimal fingerprint of the CA that signed the certificate of its newest session.
  issuer text not null,
  reported_ms bigint not null
);

-- Single certificates that are trusted no more, although the identity is.
create table revoked_certificates (
  serial text primary key,
  identity text not null,
  revoked_ms bigint not null,
  expires_ms bigint not null,
  reason text not null
);
create index revoked_certificates_by_end on revoked_certificates (expires_ms);
