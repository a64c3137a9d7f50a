//! The SCRAM login of SASL (RFC 5802, RFC 7677), as a client.
//!
//! ```text
//! client  n,,n=USER,r=NONCE                  server  r=NONCE…,s=SALT,i=ITERATIONS
//! client  c=biws,r=NONCE…,p=PROOF            server  v=SIGNATURE
//! ```
#![forbid(unsafe_code)]

use openssl::base64;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::memcmp;
use openssl::pkcs5::pbkdf2_hmac;
use openssl::pkey::PKey;
use openssl::sign::Signer;

/// The most iterations that a server may ask for: the default of brokers is 4096.
const MOST_ITERATIONS: usize = 1 << 20;

/// A login that has begun.
pub(super) struct Scram<'a> {
    digest: MessageDigest,
    password: &'a str,
    nonce: String,
    /// The first message without its head.
    first: String,
}

impl<'a> Scram<'a> {
    pub(super) fn new(
        digest: MessageDigest,
        (user, password): (&str, &'a str),
        nonce: String,
    ) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Self {
            digest,
            password,
            first: format!("n={user},r={nonce}"),
            nonce,
        }
    }

    pub(super) fn first_message(&self) -> String {
        format!("n,,{}", self.first)
    }

    /// The answer to the first message of the server, and the signature that the server must give then.
    pub(super) fn last_message(&self, server: &str) -> Result<(String, Vec<u8>), String> {
        let field = |name: &str| {
            let mut fields = server.split(',');
            fields.find_map(|it| it.strip_prefix(name)?.strip_prefix('='))
        };
        let unknown = || "the broker's answer is not of SCRAM".to_owned();
        let nonce = field("r").ok_or_else(unknown)?;
        let salt = field("s").and_then(|it| base64::decode_block(it).ok());
        let salt = salt.ok_or_else(unknown)?;
        let iterations = field("i").and_then(|it| it.parse().ok());
        let iterations = iterations.filter(|it| (1..=MOST_ITERATIONS).contains(it));
        let iterations = iterations.ok_or_else(unknown)?;
        // Otherwise it is the answer to somebody else's message.
        if !nonce.starts_with(&self.nonce) {
            return Err(unknown());
        }
        let without_proof = format!("c=biws,r={nonce}");
        let signed = format!("{},{server},{without_proof}", self.first);
        let (proof, signature) = self
            .sign((&salt, iterations), signed.as_bytes())
            .map_err(|cause| cause.to_string())?;
        let proof = base64::encode_block(&proof);
        Ok((format!("{without_proof},p={proof}"), signature))
    }

    /// The proof of the client, and the signature of the server.
    fn sign(
        &self,
        (salt, iterations): (&[u8], usize),
        signed: &[u8],
    ) -> Result<(Vec<u8>, Vec<u8>), ErrorStack> {
        let mut salted = vec![0; self.digest.size()];
        let password = self.password.as_bytes();
        pbkdf2_hmac(password, salt, iterations, self.digest, &mut salted)?;
        let client_key = self.hmac(&salted, b"Client Key")?;
        let stored_key = hash(self.digest, &client_key)?;
        let signature = self.hmac(&stored_key, signed)?;
        let proof = client_key.iter().zip(&signature).map(|(a, b)| a ^ b);
        let server_key = self.hmac(&salted, b"Server Key")?;
        Ok((proof.collect(), self.hmac(&server_key, signed)?))
    }

    fn hmac(&self, key: &[u8], text: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let key = PKey::hmac(key)?;
        Signer::new(self.digest, &key)?.sign_oneshot_to_vec(text)
    }
}

/// Whether the last message of the server has the signature: it knows the password, too.
pub(super) fn is_signed(server: &str, signature: &[u8]) -> bool {
    let given = server.trim_end().strip_prefix("v=");
    let given = given.and_then(|it| base64::decode_block(it).ok());
    given.is_some_and(|given| given.len() == signature.len() && memcmp::eq(&given, signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                          s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    fn scram(user: &str) -> Scram<'static> {
        let nonce = "rOprNGfwEbeRWgbNEkqO".to_owned();
        Scram::new(MessageDigest::sha256(), (user, "pencil"), nonce)
    }

    /// The example of RFC 7677.
    #[test]
    fn messages_are_those_of_the_standard() {
        let scram = scram("user");
        assert_eq!(scram.first_message(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let (last, signature) = scram.last_message(SERVER).unwrap();
        assert_eq!(
            last,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        let signed = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert!(is_signed(signed, &signature));
        assert!(!is_signed(&signed.replace('6', "7"), &signature));
        assert!(!is_signed("e=other-error", &signature));
    }

    #[test]
    fn wrong_answers_are_refused() {
        let refused = |server: &str| scram("user").last_message(server).is_err();
        for (right, wrong) in [
            ("r=rOpr", "r=other"),
            ("s=", "x="),
            ("i=4096", "i=0"),
            ("i=4096", "i=4294967295"),
            ("==", "=*"),
        ] {
            assert!(refused(&SERVER.replace(right, wrong)), "{wrong}");
        }
        assert!(refused(""));
        assert_eq!(
            scram("a,b=c").first_message(),
            "n,,n=a=2Cb=3Dc,r=rOprNGfwEbeRWgbNEkqO"
        );
    }
}
