//! Who may: the password, the tokens of those who gave it, and the wait that wrong ones cost.

use core::fmt;

use heapless::{Deque, String};
use subtle::ConstantTimeEq;
use umqtt::Instant;

/// The longest password, in bytes.
pub const PASSWORD_MAX: usize = 63;
/// How many browsers are signed in at once; the oldest gives way.
pub const SESSIONS: usize = 6;
/// How many wrong passwords cost nothing.
pub const FREE_ATTEMPTS: u32 = 5;
/// The wait after the first that costs one, in milliseconds; each further one doubles it.
pub const FIRST_WAIT_MS: u64 = 5_000;
/// The longest wait, in milliseconds.
pub const LONGEST_WAIT_MS: u64 = 300_000;
/// How long a link that signs in may be opened, in milliseconds.
pub const TICKET_MS: u64 = 600_000;

/// What a browser that is signed in shows: 128 bits nobody can guess.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token([u8; Token::BYTES]);

impl Token {
    /// How many bytes it has.
    pub const BYTES: usize = 16;

    /// A token of these bytes, which nobody else must know.
    pub const fn new(random: [u8; Token::BYTES]) -> Self {
        Token(random)
    }

    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
            return None;
        };
        let mut bytes = [0; Token::BYTES];
        if pairs.len() != bytes.len() {
            return None;
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            let digit = |digit: &u8| char::from(*digit).to_digit(16);
            *byte = u8::try_from(digit(high)? << 4 | digit(low)?).ok()?;
        }
        Some(Token(bytes))
    }

    fn is(&self, other: &Token) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why somebody may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The password is wrong.
    Wrong,
    /// There were too many wrong ones; the password was not looked at.
    Wait {
        /// For so many seconds, rounded up.
        seconds: u64,
    },
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Denied::Wrong => f.write_str("the password is wrong"),
            Denied::Wait { seconds } => {
                write!(f, "too many wrong passwords; try again in {seconds} s")
            }
        }
    }
}

/// The one password, and who has shown that they know it.
pub(crate) struct Access {
    password: String<PASSWORD_MAX>,
    sessions: Deque<Token, SESSIONS>,
    /// A link that signs in whoever opens it first, and until when it does.
    ticket: Option<(Token, Instant)>,
    wrong: u32,
    closed_until: Instant,
}

impl Access {
    pub const fn new() -> Self {
        Access {
            password: String::new(),
            sessions: Deque::new(),
            ticket: None,
            wrong: 0,
            closed_until: Instant::from_millis(0),
        }
    }

    /// A device starts, with this password. Its clock may have begun anew: a wait is over, but not
    /// forgotten; and a link's time is counted from now.
    pub fn start(&mut self, password: &str) {
        self.set_password(password);
        self.closed_until = Instant::ZERO;
        if let Some((_, until)) = &mut self.ticket {
            *until = Instant::ZERO.after(TICKET_MS);
        }
    }

    /// Sets the password. An empty one is nobody's.
    fn set_password(&mut self, password: &str) {
        let password = String::try_from(password).unwrap_or_default();
        if password != self.password {
            self.password = password;
            self.sessions.clear();
        }
    }

    /// Whether this is the password. What it costs to be wrong is the same at every door.
    pub fn check(&mut self, attempt: &[u8], now: Instant) -> Result<(), Denied> {
        let wait = self.closed_until.since(now);
        if wait > 0 {
            let seconds = wait.div_ceil(1000);
            return Err(Denied::Wait { seconds });
        }
        let is_right: bool = self.password.as_bytes().ct_eq(attempt).into();
        if is_right && !self.password.is_empty() {
            self.wrong = 0;
            return Ok(());
        }
        self.wrong = self.wrong.saturating_add(1);
        if let Some(doublings) = self.wrong.checked_sub(FREE_ATTEMPTS) {
            let wait = FIRST_WAIT_MS.saturating_mul(1 << doublings.min(20));
            self.closed_until = now.after(wait.min(LONGEST_WAIT_MS));
        }
        Err(Denied::Wrong)
    }

    /// Signs somebody in by this token, which must be new.
    pub fn sign_in(&mut self, token: Token) {
        if self.sessions.is_full() {
            self.sessions.pop_front();
        }
        let _ = self.sessions.push_back(token);
    }

    pub fn sign_out(&mut self, token: &Token) {
        self.sessions.retain(|session| !session.is(token));
    }

    pub fn is_signed_in(&self, token: &Token) -> bool {
        // All are looked at, whichever it is.
        self.sessions
            .iter()
            .fold(false, |found, session| found | session.is(token))
    }

    /// Makes this the token of the one link that signs in, for [`TICKET_MS`].
    pub fn set_ticket(&mut self, token: Token, now: Instant) {
        self.ticket = Some((token, now.after(TICKET_MS)));
    }

    /// Whether this is the link's token, in time; it is not any more then.
    pub fn redeem(&mut self, token: &Token, now: Instant) -> bool {
        let ticket = self.ticket.take_if(|(ticket, _)| ticket.is(token));
        ticket.is_some_and(|(_, until)| now < until)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    fn access() -> Access {
        let mut access = Access::new();
        access.set_password("right");
        access
    }

    fn wrong(access: &mut Access, times: u32, now: Instant) {
        for _ in 0..times {
            assert_eq!(access.check(b"wrong", now), Err(Denied::Wrong));
        }
    }

    #[test]
    fn five_wrong_passwords_cost_a_wait_that_even_the_right_one_must_sit_out() {
        let mut access = access();
        wrong(&mut access, 5, at(0));
        assert_eq!(
            access.check(b"right", at(0)),
            Err(Denied::Wait { seconds: 5 })
        );
        assert_eq!(
            access.check(b"right", at(4)),
            Err(Denied::Wait { seconds: 1 })
        );
        assert_eq!(access.check(b"right", at(5)), Ok(()));
    }

    #[test]
    fn the_wait_doubles_with_each_wrong_password_up_to_five_minutes() {
        let mut access = access();
        wrong(&mut access, 5, at(0));
        let mut now = at(0);
        for expected in [5, 10, 20, 40, 80, 160, 300, 300] {
            let Err(Denied::Wait { seconds }) = access.check(b"right", now) else {
                panic!("no wait at {now:?}");
            };
            assert_eq!(seconds, expected);
            now = now.after(seconds * 1000);
            wrong(&mut access, 1, now);
        }
    }

    #[test]
    fn a_restart_ends_a_wait_and_the_next_wrong_password_costs_a_longer_one() {
        let mut access = access();
        wrong(&mut access, 5, at(10_000));
        access.start("right");
        wrong(&mut access, 1, at(1));
        assert_eq!(
            access.check(b"right", at(1)),
            Err(Denied::Wait { seconds: 10 })
        );
    }

    #[test]
    fn the_right_password_forgets_the_wrong_ones() {
        let mut access = access();
        wrong(&mut access, 4, at(0));
        assert_eq!(access.check(b"right", at(0)), Ok(()));
        wrong(&mut access, 4, at(0));
        assert_eq!(access.check(b"right", at(0)), Ok(()));
    }

    #[test]
    fn without_a_password_nobody_gets_in() {
        let mut access = Access::new();
        assert_eq!(access.check(b"", at(0)), Err(Denied::Wrong));
    }

    #[test]
    fn a_token_reads_back_and_nothing_else_does() {
        let token = Token::new(*b"0123456789abcdef");
        let text = token.to_string();
        assert!(Token::parse(&text) == Some(token));
        for bad in ["", "0", "zz", &text[2..], &text.replace('3', "g"), "é"] {
            assert!(Token::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_oldest_session_gives_way_and_a_signed_out_one_is_gone() {
        let mut access = access();
        let token = |n: usize| Token::new([n as u8; Token::BYTES]);
        for n in 0..=SESSIONS {
            access.sign_in(token(n));
        }
        assert!(!access.is_signed_in(&token(0)));
        assert!(access.is_signed_in(&token(1)));
        access.sign_out(&token(1));
        assert!(!access.is_signed_in(&token(1)));
        assert!(access.is_signed_in(&token(2)));
    }

    #[test]
    fn another_password_signs_everybody_out() {
        let mut access = access();
        let token = Token::new([7; Token::BYTES]);
        access.sign_in(token);
        access.set_password("right");
        assert!(access.is_signed_in(&token));
        access.set_password("other");
        assert!(!access.is_signed_in(&token));
    }

    #[test]
    fn a_link_signs_in_once() {
        let mut access = access();
        let token = Token::new([7; Token::BYTES]);
        assert!(!access.redeem(&token, at(0)));
        access.set_ticket(token, at(0));
        assert!(!access.redeem(&Token::new([8; Token::BYTES]), at(1)));
        assert!(access.redeem(&token, at(599)));
        assert!(!access.redeem(&token, at(599)));
    }

    #[test]
    fn a_link_that_nobody_opens_is_void_after_ten_minutes_whatever_the_clock_does() {
        let token = Token::new([7; Token::BYTES]);
        let mut access = access();
        access.set_ticket(token, at(0));
        assert!(!access.redeem(&token, at(600)));
        assert!(!access.redeem(&token, at(1)), "and stays so");
        access.set_ticket(token, at(10_000));
        access.start("right");
        assert!(!access.redeem(&token, at(600)));
    }
}
