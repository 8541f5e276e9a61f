//! A broker that goes through the handshake of TLS 1.3 and never shows a certificate. No library plays it, so it is
//! written out (RFC 8446, sections 4 and 7).

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{self, ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey};
use ring::digest::{SHA256, digest};
use ring::hmac::{self, HMAC_SHA256};
use ring::rand::SystemRandom;

const HASH: usize = 32;
/// Content types of records.
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// Starts one, and returns its port. It ends with the test.
pub fn listen() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    port
}

fn serve(mut stream: TcpStream) {
    let mut head = [0; 5];
    if stream.read_exact(&mut head).is_err() {
        return;
    }
    let mut client_hello = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    if stream.read_exact(&mut client_hello).is_err() {
        return;
    }
    let random = SystemRandom::new();
    let own = EphemeralPrivateKey::generate(&ECDH_P256, &random).expect("a key");
    let server_hello = server_hello(own.compute_public_key().expect("a key").as_ref());
    let shared = agreement::agree_ephemeral(
        own,
        &UnparsedPublicKey::new(&ECDH_P256, key_share(&client_hello)),
        <[u8]>::to_vec,
    );
    let mut said = [client_hello, server_hello.clone()].concat();
    let secret = server_secret(&shared.expect("a key of the device's"), &hash(&said));
    // Empty EncryptedExtensions, and at once the end.
    let extensions = message(8, &[0, 0]);
    said.extend_from_slice(&extensions);
    let key = expand(&secret, "finished", &[], HASH);
    let finished = message(20, &mac(&key, &hash(&said)));
    let mut flight = record(HANDSHAKE, &server_hello);
    flight.extend(encrypted(&secret, &[extensions, finished].concat()));
    let _ = stream.write_all(&flight);
    // Until the device ends it.
    while matches!(stream.read(&mut [0; 64]), Ok(count) if count > 0) {}
}

/// TLS 1.3, AES-128-GCM with SHA-256, and this key.
fn server_hello(key: &[u8]) -> Vec<u8> {
    let share = [&[0, 0x17][..], &prefixed(key)].concat();
    let extensions = [&[0, 43, 0, 2, 3, 4][..], &[0, 51], &prefixed(&share)].concat();
    let parts = [
        &[3, 3][..],
        &[7; 32],
        // The empty session id, the cipher suite, no compression.
        &[0, 0x13, 0x01, 0],
        &prefixed(&extensions),
    ];
    message(2, &parts.concat())
}

/// The device's key, which stands in the extension `key_share`.
fn key_share(client_hello: &[u8]) -> &[u8] {
    // 51, two lengths, P-256, and the length of its points.
    let place = client_hello
        .windows(10)
        .position(|part| part == [0, 51, 0, 71, 0, 69, 0, 0x17, 0, 65])
        .expect("a key for P-256");
    &client_hello[place + 10..][..65]
}

/// The secret that the server's part of the handshake is encrypted with (section 7.1).
fn server_secret(shared: &[u8], said: &[u8]) -> Vec<u8> {
    let early = mac(&[0; HASH], &[0; HASH]);
    let derived = expand(&early, "derived", &hash(&[]), HASH);
    let handshake = mac(&derived, shared);
    expand(&handshake, "s hs traffic", said, HASH)
}

/// The first encrypted record, with handshake messages in it.
fn encrypted(secret: &[u8], messages: &[u8]) -> Vec<u8> {
    let key = UnboundKey::new(&AES_128_GCM, &expand(secret, "key", &[], 16)).expect("a key");
    let nonce = expand(secret, "iv", &[], 12);
    let nonce = Nonce::try_assume_unique_for_key(&nonce).expect("12 bytes");
    let mut content = [messages, &[HANDSHAKE]].concat();
    let length = content.len() + AES_128_GCM.tag_len();
    let head = &record(APPLICATION_DATA, &vec![0; length])[..5];
    LessSafeKey::new(key)
        .seal_in_place_append_tag(nonce, Aad::from(head), &mut content)
        .expect("it is short");
    record(APPLICATION_DATA, &content)
}

/// HKDF-Expand-Label, for at most one hash.
fn expand(secret: &[u8], label: &str, context: &[u8], length: usize) -> Vec<u8> {
    let label = format!("tls13 {label}");
    let short = |bytes: &[u8]| u8::try_from(bytes.len()).expect("it is short");
    let info = [
        &[0, u8::try_from(length).expect("it is short")][..],
        &[short(label.as_bytes())],
        label.as_bytes(),
        &[short(context)],
        context,
        &[1],
    ];
    let mut block = mac(secret, &info.concat());
    block.truncate(length);
    block
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(HMAC_SHA256, key);
    hmac::sign(&key, message).as_ref().to_vec()
}

fn hash(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

/// A handshake message.
fn message(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind, 0][..], &prefixed(content)].concat()
}

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &prefixed(content)].concat()
}

/// With its length in two bytes before it.
fn prefixed(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("it is short");
    [&length.to_be_bytes()[..], content].concat()
}
