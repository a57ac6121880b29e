/* Secrets: what is left out, what only looks like one, and that the text around it stays. All
 * numbers and keys are made up, or are those that issuers publish for tests. */
#include "check.h"

#include "base/str.h"
#include "text/secrets.h"

static struct secrets found;

static void gives(const char *s, const char *want)
{
    struct buf out = BUF_INIT(0);
    bool any = secrets_leave_out(s, strlen(s), &out, &found);
    const char *got = any ? buf_str(&out) : s;
    if (strcmp(got, want)) fail_msg("\"%s\": got \"%s\", want \"%s\"", s, got, want);
    buf_free(&out);
}

static void stays(const char *s)
{
    struct buf out = BUF_INIT(0);
    if (secrets_leave_out(s, strlen(s), &out, &found))
        fail_msg("\"%s\": became \"%s\"", s, buf_str(&out));
    check_int(out.n, 0);
    buf_free(&out);
}

#define CARD "[card number left out]"

static void cards(void **state)
{
    gives("It is 4111 1111 1111 1111, 12/27.", "It is " CARD ", 12/27.");
    gives("4111111111111111", CARD);
    gives("4111-1111-1111-1111 12 27 123", CARD " 12 27 123");
    gives("5500 0000 0000 0004", CARD);
    gives("2223003122003222", CARD);
    gives("3782 822463 10005", CARD);
    gives("3056\xc2\xa0"
          "930902\xc2\xa0"
          "5904",
          CARD);
    gives("6011\xe2\x80\x93"
          "1111\xe2\x80\x93"
          "1111\xe2\x80\x93"
          "1117",
          CARD);
    gives("Karte:4222222222222", "Karte:" CARD);
    gives("(4111111111111111) and 3530111333300000!", "(" CARD ") and " CARD "!");
    stays("4111111111111112");         /* Luhn */
    stays("9111111111111111");         /* nobody's */
    stays("411111111111111");          /* too short */
    stays("41111111111111110000000");  /* too long */
    stays("x4111111111111111");        /* in a word */
    stays("4111111111111111x");        /* in a word */
    stays("3.4111111111111111");       /* decimals */
    stays("4111111111111111.25");      /* a number */
    stays("41 11 11 11 11 11 11 11");  /* groups nobody prints */
    stays("+4111111111111111");        /* a telephone */
    stays("/status/4111111111111111"); /* an address */
}

static void numbers_of_life(void **state)
{
    stays("Ring +44 20 7946 0018 or 020 7946 0018, (555) 123-4567, 555-123-4567.");
    stays("0171 1234567, 030/12345678, +49 (0)171 1234567, 1-800-555-0199");
    stays("On 2019-03-04 12:30:05, 04/03/2019, 4.3.2019 and 1546300800 and 20190304T123005Z.");
    stays("ISBN 978-3-16-148410-0, order 203-4567890-1234567, 12345-6789 zip");
    stays("He paid 1,234,567.89 and 1 000 000 and 12.500.000.000.000,00.");
    stays("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16");
    stays("550e8400-e29b-41d4-a716-446655440000");
}

#define IBAN "[bank account number left out]"

static void ibans(void **state)
{
    gives("IBAN: DE89 3704 0044 0532 0130 00.", "IBAN: " IBAN ".");
    gives("de89370400440532013000", IBAN);
    gives("GB29 NWBK 6016 1331 9268 19 thanks", IBAN " thanks");
    gives("NO93 8601 1117 947 and MT84MALT011000012345MTLCAST001S", IBAN " and " IBAN);
    stays("DE88 3704 0044 0532 0130 00");
    stays("DE89 3704 0044 0532 0130 001");
    stays("XX89370400440532013000");
    stays("DE89");
}

static void social(void **state)
{
    gives("SSN 219-09-9999.", "SSN [social security number left out].");
    stays("666-09-9999");
    stays("900-09-9999");
    stays("219-00-9999");
    stays("219-09-0000");
    stays("1219-09-9999");
    stays("219-09-99991");
    stays("219-09-9999-1");
}

#define KEY "[private key left out]"

static void private_keys(void **state)
{
    gives("a\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\nQyNTUx\n-----END OPENSSH PRIVATE "
          "KEY-----\nb",
          "a\n" KEY "\nb");
    gives("{\"k\":\"-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----\\n\"}",
          "{\"k\":\"" KEY "\\n\"}");
    gives("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQdG\n=abcd\n-----END PGP PRIVATE KEY "
          "BLOCK-----",
          KEY);
    gives("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nMIIE+/=\n\nSo much for that.",
          KEY "\n\nSo much for that.");
    stays("-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----");
    stays("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----");
    stays("-----BEGIN PRIVATE KEY");
    stays("----------");
}

#define TOKEN "[access key left out]"

static void services(void **state)
{
    gives("AKIAIOSFODNN7EXAMPLE", TOKEN);
    gives("export T=ghp_"
          "abcdefghijklmnopqrstuvwxyz0123456789;",
          "export T=" TOKEN ";");
    gives("github_pat_"
          "11ABCDEFG0abcdefghijkl_mnop",
          TOKEN);
    gives("xoxb-"
          "123456789012-abcdefABCDEF.",
          TOKEN ".");
    gives("AIza"
          "SyA1234567890abcdefghijklmnopqrstuv",
          TOKEN);
    gives("sk_live_"
          "abcdefghijklmnop1234",
          TOKEN);
    gives("sk-"
          "abcDEF1234567890abcdEFGH",
          TOKEN);
    gives("sk-proj-"
          "abc_def-ghijklmnopqrstuv",
          TOKEN);
    gives("lk-"
          "Ab3dEabcdefghijklmnopqrstuvwxyzABCDEFGHIJ_k",
          TOKEN);
    gives("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcDEF_-123456", "Bearer " TOKEN);
    gives("123456789:AA"
          "abcdefghijklmnopqrstuvwxyz1234567",
          TOKEN);
    stays("sk-learn-something-new-every-single-day");
    stays("AKIA and AIzawa went to sk-8 on ghp_x");
    stays("eyJ.eyJ.x and eyelash");
    stays("xAKIAIOSFODNN7EXAMPLE");
}

#define PASSWORD "[password left out]"

static void passwords(void **state)
{
    gives("Password: swordfish\nSee you", "Password: " PASSWORD "\nSee you");
    gives("password = hunter2 for all", "password = " PASSWORD " for all");
    gives("My password is hunter2.", "My password is " PASSWORD ".");
    gives("Mein Passwort ist Geheim!23, ja", "Mein Passwort ist " PASSWORD ", ja");
    gives("the password for the wifi at home is tr0ub4dor",
          "the password for the wifi at home is " PASSWORD);
    gives("the password is \"swordfish\"", "the password is \"" PASSWORD "\"");
    gives("mot de passe : azerty99", "mot de passe : " PASSWORD);
    gives("contrase\xc3\xb1"
          "a: perro\n",
          "contrase\xc3\xb1"
          "a: " PASSWORD "\n");
    gives("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
          "aws_secret_access_key = " PASSWORD);
    stays("I forgot my password again.");
    stays("The password is wrong, and the passphrase was too long to type.");
    stays("Password: it has to be long");
    stays("What is the password? I changed it in 2019.");
    stays("password reset: https://example.org/reset1");
    stays("**Password:** **needed1**");
    stays("password: " PASSWORD);
    stays("passwords: many1 of them");
}

#define CODE "[code left out]"

static void codes(void **state)
{
    gives("my pin is 1234", "my pin is " CODE);
    gives("PIN 4711", "PIN " CODE);
    gives("Die PIN lautet: 471147.", "Die PIN lautet: " CODE ".");
    gives("Your verification code is 123-456.", "Your verification code is " CODE ".");
    gives("123456 is your Example verification code.", CODE " is your Example verification code.");
    gives("G-123456 is your Google verification code", CODE " is your Google verification code");
    gives("Your Best\xc3\xa4tigungscode: 1234", "Your Best\xc3\xa4tigungscode: " CODE);
    gives("CVV 123", "CVV " CODE);
    stays("a pin 1234 miles off");
    stays("pin it to the 1990 board");
    stays("my pin is 12");
    stays("my pin is 123456789");
    stays("The code is 1234 lines long.");
    stays("1969 is your year");
    stays("Tan lines, 2019; the security code of 1987-06-05");
}

/* As people and programs write them; what is not found of such is in docs/SECURITY.md. */
static void many_ways(void **state)
{
    static const struct {
        enum secret_kind kind;
        const char *text;
    } all[] = {
        { SECRET_CARD, "4111  1111  1111  1111" },
        { SECRET_TOKEN, "Authorization: Bearer abcdefghijklmnopqrstuvwxyz0123456789" },
        { SECRET_TOKEN, "NDc0MzY3NzM5NjA0NjA0OTMx"
                        ".DnHkzg.abcdefghijklmnopqrstuvwxyz0" },
        { SECRET_TOKEN, "GOCSPX-"
                        "abcdefghijklmnopqrstuvwxyz12" },
        { SECRET_TOKEN, "shpat_"
                        "0123456789abcdef0123456789abcdef" },
        { SECRET_PASSWORD, "la password \xc3\xa8 micio2020" },
        { SECRET_PASSWORD, "has\xc5\x82o: kotek77" },
        { SECRET_PASSWORD, "l\xc3\xb6senord: katt2020" },
        { SECRET_PASSWORD, "\xc5\x9fifre: kedi1234" },
        { SECRET_PASSWORD, "login: marit / pass: xK9#mQ2" },
        { SECRET_PASSWORD, "wifi key: 8274-1029-3847" },
        { SECRET_PASSWORD, "WLAN-Schl\xc3\xbcssel: 83749201837465920184" },
        { SECRET_PASSWORD, "the wifi password at home is harbour-boats-77" },
        { SECRET_PASSWORD, "WiFi: HarbourNet / boats4ever" },
        { SECRET_PASSWORD, "WIFI:T:WPA;S:HarbourNet;P:boats4ever;;" },
        { SECRET_PASSWORD, "postgres://app:Pa55w0rd@db.example.org:5432/app" },
        { SECRET_PASSWORD, "passphrase: correct horse battery staple" },
        { SECRET_CODE, "il pin \xc3\xa8 4821" },
        { SECRET_CODE, "Ihre mTAN lautet 123456" },
        { SECRET_CODE, "your code is 123456" },
        { SECRET_CODE, "Use code 482913 to sign in" },
        { SECRET_CODE, "Tw\xc3\xb3j kod to 482913" },
        { SECRET_CODE, "the alarm code is 4821" },
        { SECRET_PHRASE,
          "legal winner thank year wave sausage worth useful legal winner thank yellow" },
        { SECRET_PHRASE, "1. legal 2. winner 3. thank 4. year 5. wave 6. sausage 7. worth "
                         "8. useful 9. legal 10. winner 11. thank 12. yellow" },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct secrets n = { 0 };
        struct buf out = BUF_INIT(0);
        secrets_leave_out(all[i].text, strlen(all[i].text), &out, &n);
        if (n.count[all[i].kind] != 1) fail_msg("\"%s\": not found", all[i].text);
        buf_free(&out);
    }
    stays("struct pass = open(path, \"passphrase\");");
    stays("I pass: it is late. My pw: none. The wifi: slow as ever, 5 stars / none.");
    stays("the bearer of this letter, and bearer bonds");
    stays("see https://example.org:8080/a@b and mailto:marit@example.org");
    stays("milk bread eggs butter the usual cheese apples pears grapes beans rice and tea");
    stays("we walked along the harbour until night fell over all boats there");
    stays("use code review before you enter code");
}

static void nothing_is_lost(void **state)
{
    struct buf out = BUF_INIT(0);
    struct secrets n = { 0 };
    const char *s = "\xc3\xa9 4111111111111111 \xe2\x82\xac 219-09-9999 \xf0\x9f\x8c\x8a";
    assert_true(secrets_leave_out(s, strlen(s), &out, &n));
    check_str(buf_str(&out),
              "\xc3\xa9 " CARD " \xe2\x82\xac [social security number left out] \xf0\x9f\x8c\x8a");
    assert_true(utf8_valid(out.p, out.n));
    check_int(n.count[SECRET_CARD], 1);
    check_int(n.count[SECRET_SSN], 1);
    check_int(n.count[SECRET_TOKEN], 0);
    check_str(secret_name(SECRET_CARD), "card number");
    buf_free(&out);
    assert_false(secrets_leave_out(NULL, 0, &out, &n));
}

/* Beginnings without an end: each would look for one through all the rest, if it were let. */
static void unended_keys(void **state)
{
    struct buf s = BUF_INIT(0), out = BUF_INIT(0);
    for (int i = 0; i < 60000; i++) buf_adds(&s, "-----BEGIN PRIVATE KEY----- ?\n");
    assert_true(secrets_leave_out(s.p, s.n, &out, &found));
    assert_true(out.n <= 8 * s.n);
    buf_clear(&s);
    buf_clear(&out);
    for (int i = 0; i < 100000; i++) buf_adds(&s, "-----BEGIN PRIVATE KEY----- "); /* on one line */
    buf_adds(&s, "?");
    found = (struct secrets){ 0 };
    assert_true(secrets_leave_out(s.p, s.n, &out, &found));
    check_int(found.count[SECRET_KEY], 100000);
    buf_clear(&s);
    for (int i = 0; i < 1000000; i++) buf_adds(&s, "ey-"); /* tokens, perhaps */
    assert_false(secrets_leave_out(s.p, s.n, &out, &found));
    buf_free(&s);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cards),        cmocka_unit_test(numbers_of_life),
        cmocka_unit_test(ibans),        cmocka_unit_test(social),
        cmocka_unit_test(private_keys), cmocka_unit_test(services),
        cmocka_unit_test(passwords),    cmocka_unit_test(codes),
        cmocka_unit_test(many_ways),    cmocka_unit_test(nothing_is_lost),
        cmocka_unit_test(unended_keys),
    };
    return check_run("text/secrets", tests);
}
