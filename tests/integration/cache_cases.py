"""What a cache that clients share does, a case a row: a first client asks, the server
responds with what the row has, and a second client asks.

A response is a status, unless it is 200, and header lines with " | " between; <N> is the
date of N seconds from now on.  A request is header lines.  What the second client sees:

    hit        what is stored, without a request
    unchanged  304, without a request
    valid      what is stored, which the server was asked to compare
    stale      what is stored, though it is not fresh
    miss       what the server responded with to a request of its own
    bypass     the same, past the cache
"""

# (name, response, what the second client sees); the requests have no lines.
FRESHNESS = [
    ("nothing says how long", "", "miss"),
    ("max-age", "Cache-Control: max-age=3600", "hit"),
    ("max-age of nothing", "Cache-Control: max-age=0", "miss"),
    ("max-age of 31 bits", "Cache-Control: max-age=2147483647", "hit"),
    ("max-age of more", "Cache-Control: max-age=2147483648", "hit"),
    ("max-age of one more", "Cache-Control: max-age=2147483649", "hit"),
    ("max-age of many digits", "Cache-Control: max-age=99999999999", "hit"),
    ("max-age of more than 64 bits", "Cache-Control: max-age=99999999999999999999999", "hit"),
    ("Age beyond max-age", "Cache-Control: max-age=3600 | Age: 7200 | Date: <0>", "miss"),
    ("Age that is max-age", "Cache-Control: max-age=3600 | Age: 3600", "miss"),
    ("Age within max-age", "Cache-Control: max-age=3600 | Age: 1800", "hit"),
    ("Date that long ago", "Cache-Control: max-age=3600 | Date: <-7200>", "miss"),
    ("Date in the future", "Cache-Control: max-age=3600 | Date: <7200>", "hit"),
    ("Date that is none", "Cache-Control: max-age=3600 | Date: yesterday", "hit"),
    ("max-age, though expired", "Cache-Control: max-age=3600 | Expires: <-7200>", "hit"),
    ("max-age, Expires is no date", "Cache-Control: max-age=3600 | Expires: 0", "hit"),
    ("max-age of nothing, not expired", "Cache-Control: max-age=0 | Expires: <3600>", "miss"),
    ("with a word of later times", "Cache-Control: foobar, max-age=3600", "hit"),
    ("in mixed case", "CACHE-control: MaX-aGe=3600", "hit"),
    ("negative", "Cache-Control: max-age=-3600", "miss"),
    ("s-maxage", "Cache-Control: s-maxage=3600", "hit"),
    ("shorter s-maxage", "Cache-Control: max-age=3600, s-maxage=1 | Age: 10", "miss"),
    ("shorter s-maxage first", "Cache-Control: s-maxage=1, max-age=3600 | Age: 10", "miss"),
    ("shorter s-maxage in a line of its own",
     "Cache-Control: max-age=3600 | Cache-Control: s-maxage=1 | Age: 10", "miss"),
    ("longer s-maxage", "Cache-Control: max-age=1, s-maxage=3600 | Age: 10", "hit"),
    ("longer s-maxage, though expired",
     "Expires: <-10> | Cache-Control: max-age=0, s-maxage=3600", "hit"),
    ("immutable", "Cache-Control: max-age=3600, immutable", "hit"),
    ("for other caches", "CDN-Cache-Control: max-age=3600", "miss"),
    ("nothing for other caches", "CDN-Cache-Control: max-age=0 | Cache-Control: max-age=3600",
     "hit"),
    ("for surrogates", "Surrogate-Control: max-age=3600", "miss"),
]

PARSING = [
    ("two, the first fresh", "Cache-Control: max-age=1800, max-age=1 | Age: 10", "hit"),
    ("two lines, the first fresh",
     "Cache-Control: max-age=1800 | Cache-Control: max-age=1 | Age: 10", "hit"),
    ("two, the first stale", "Cache-Control: max-age=1, max-age=1800 | Age: 10", "miss"),
    ("two lines, the first stale",
     "Cache-Control: max-age=1 | Cache-Control: max-age=1800 | Age: 10", "miss"),
    ("in quotes", 'Cache-Control: max-age="3600"', "hit"),
    ("in another's quotes", 'Cache-Control: a="max-age=3600", max-age=1 | Age: 10', "miss"),
    ("in another's quotes, behind", 'Cache-Control: max-age=1, a="max-age=3600" | Age: 10',
     "miss"),
    ("in quotes with a quote", r'Cache-Control: a="\", max-age=3600"', "miss"),
    ("in quotes that do not end", 'Cache-Control: a="b, max-age=3600', "miss"),
    ("blank before =", "Cache-Control: max-age =3600", "miss"),
    ("blank behind =", "Cache-Control: max-age= 3600", "miss"),
    ("zeros in front", "Cache-Control: max-age=003600", "hit"),
    ("in single quotes", "Cache-Control: max-age='3600'", "miss"),
    ("with a fraction", "Cache-Control: max-age=3600.0", "miss"),
    ("letter in front", "Cache-Control: max-age=a3600", "miss"),
    ("letter behind", "Cache-Control: max-age=3600a", "miss"),
    ("empty", "Cache-Control: max-age=", "miss"),
    ("without a value", "Cache-Control: max-age", "miss"),
    ("empty members", "Cache-Control: , ,max-age=3600,,", "hit"),
    ("no commas", "Cache-Control: public max-age=3600", "miss"),
    ("semicolon", "Cache-Control: public; max-age=3600", "miss"),
]

AGE = [
    ("is no number", "Cache-Control: max-age=3600 | Age: abc", "hit"),
    ("negative", "Cache-Control: max-age=3600 | Age: -7200", "hit"),
    ("with a fraction", "Cache-Control: max-age=3600 | Age: 7200.0", "hit"),
    ("of 31 bits", "Cache-Control: max-age=3600 | Age: 2147483647", "miss"),
    ("of more", "Cache-Control: max-age=3600 | Age: 2147483648", "miss"),
    ("of one more", "Cache-Control: max-age=3600 | Age: 2147483649", "miss"),
    ("of many digits", "Cache-Control: max-age=3600 | Age: 99999999999999999999999", "miss"),
    ("old, young", "Cache-Control: max-age=3600 | Age: 7200, 0", "miss"),
    ("young, old", "Cache-Control: max-age=3600 | Age: 0, 7200", "hit"),
    ("old and young", "Cache-Control: max-age=3600 | Age: 7200 | Age: 0", "miss"),
    ("young and old", "Cache-Control: max-age=3600 | Age: 0 | Age: 7200", "hit"),
    ("young twice", "Cache-Control: max-age=3600 | Age: 0, 0", "hit"),
    ("young in two lines", "Cache-Control: max-age=3600 | Age: 0 | Age: 0", "hit"),
    ("of some age twice", "Cache-Control: max-age=10000 | Age: 3600 | Age: 3600", "hit"),
    ("with a parameter", "Cache-Control: max-age=3600 | Age: 7200;foo=bar", "hit"),
]

EXPIRES = [
    ("in the future", "Expires: <2592000> | Date: <0>", "hit"),
    ("in the past", "Expires: <-2592000> | Date: <0>", "miss"),
    ("now", "Expires: <0> | Date: <0>", "miss"),
    ("before its date", "Expires: <300> | Date: <400>", "miss"),
    ("is 0", "Expires: 0 | Date: <0>", "miss"),
    ("is -1", "Expires: -1", "miss"),
    ("empty", "Expires:", "miss"),
    ("of a bad date", "Expires: <3600> | Date: foo", "hit"),
    ("without a date", "Expires: <3600>", "hit"),
    ("of an age beyond it", "Expires: <10> | Date: <-10> | Age: 25", "miss"),
    ("of a date ahead, and an age beyond it", "Expires: <20> | Date: <10> | Age: 15", "miss"),
    ("beyond 31 bits", "Expires: Tue, 19 Jan 2038 14:14:08 GMT", "hit"),
    ("of a far future", "Expires: Sun, 21 Nov 2286 04:46:39 GMT", "hit"),
    ("form of RFC 850", "Expires: Thursday, 18-Aug-50 02:01:18 GMT", "hit"),
    ("form of C", "Expires: Thu Aug  8 02:01:18 2050", "hit"),
    ("day in capitals", "Expires: THU, 18 Aug 2050 02:01:18 GMT", "hit"),
    ("month in capitals", "Expires: Thu, 18 AUG 2050 02:01:18 GMT", "hit"),
    ("zone in mixed case", "Expires: Thu, 18 Aug 2050 02:01:18 gMT", "hit"),
    ("zone UTC", "Expires: Thu, 18 Aug 2050 02:01:18 UTC", "miss"),
    ("another zone", "Expires: Thu, 18 Aug 2050 02:01:18 AEST", "miss"),
    ("two digits of the year", "Expires: Thu, 18 Aug 50 02:01:18 GMT", "miss"),
    ("no comma", "Expires: Thu 18 Aug 2050 02:01:18 GMT", "miss"),
    ("more blanks", "Expires: Thu, 18  Aug  2050 02:01:18 GMT", "miss"),
    ("dashes", "Expires: Thu, 18-Aug-2050 02:01:18 GMT", "miss"),
    ("periods", "Expires: Thu, 18 Aug 2050 02.01.18 GMT", "miss"),
    ("one digit of the hour", "Expires: Thu, 18 Aug 2050 2:01:18 GMT", "miss"),
    ("no such day", "Expires: Thu, 32 Aug 2050 02:01:18 GMT", "miss"),
    ("two that are none", "Expires: Thu, 18 Aug 2050 2:01:18 GMT | "
     "Expires: Thu, 18 Aug 2050 2:01:19 GMT", "miss"),
]

DIRECTIVES = [
    ("private", "Cache-Control: private, max-age=3600", "miss"),
    ("private, in capitals", "Cache-Control: PRIVATE, max-age=3600", "miss"),
    ("no-store", "Cache-Control: no-store", "miss"),
    ("no-store in mixed case", "Cache-Control: No-StOrE", "miss"),
    ("no-store, though fresh", "Cache-Control: max-age=10000, no-store | Expires: <10000>",
     "miss"),
    ("no-store in a line of its own",
     "Cache-Control: max-age=10000 | Cache-Control: no-store", "miss"),
    ("no-cache", "Cache-Control: max-age=10000, no-cache | Expires: <10000>", "miss"),
    ("no-cache in mixed case", "Cache-Control: max-age=10000, No-CaChE", "miss"),
    ("no-cache that can be compared", 'Cache-Control: no-cache | ETag: "a"', "valid"),
    ("no-cache that is fresh", 'Cache-Control: max-age=10000, no-cache | ETag: "a"', "valid"),
    ("must-revalidate that is fresh", 'Cache-Control: max-age=3600, must-revalidate | '
     'ETag: "a"', "hit"),
    ("must-revalidate that is stale", 'Cache-Control: max-age=2, must-revalidate | Age: 9 | '
     'ETag: "a"', "valid"),
    ("proxy-revalidate that is stale", 'Cache-Control: max-age=2, proxy-revalidate | Age: 9 | '
     'Last-Modified: <-9>', "valid"),
    ("stale-while-revalidate", 'Cache-Control: max-age=1, stale-while-revalidate=3600 | '
     'Age: 9', "stale"),
    ("stale-while-revalidate that is over", 'Cache-Control: max-age=1, '
     'stale-while-revalidate=4 | Age: 9', "miss"),
    ("stale-while-revalidate, must-revalidate", 'Cache-Control: max-age=1, must-revalidate, '
     'stale-while-revalidate=3600 | Age: 9', "miss"),
    ("stale-while-revalidate, no-cache", 'Cache-Control: max-age=1, no-cache, '
     'stale-while-revalidate=3600', "miss"),
    ("stale-while-revalidate that is no number", 'Cache-Control: max-age=1, '
     'stale-while-revalidate=x | Age: 9', "miss"),
    ("Pragma says nothing of a response", "Cache-Control: max-age=3600 | Pragma: no-cache",
     "hit"),
    ("nor where nothing says how long", "Last-Modified: <-10000> | Pragma: no-cache", "hit"),
    ("Pragma of later times", "Cache-Control: max-age=3600 | Pragma: foo", "hit"),
    ("Set-Cookie", "Cache-Control: max-age=3600 | Set-Cookie: a=b", "miss"),
    ("a file to save", "Cache-Control: max-age=3600 | Content-Disposition: attachment; "
     "filename=x", "hit"),
    ("a file to save, of some age", "Last-Modified: <-100000> | "
     "Content-Disposition: attachment", "hit"),
    ("must-understand, and it is", "Cache-Control: max-age=3600, no-store, must-understand",
     "hit"),
    ("must-understand, and it is not",
     "599 | Cache-Control: max-age=3600, no-store, must-understand", "miss"),
]

# A tenth of the time since Last-Modified.
HEURISTIC = [
    *[(f"of {age} seconds", f"Last-Modified: <-{age}> | Date: <0>", "hit")
      for age in (3600, 43200, 86400, 864000)],
    ("of no time", "Last-Modified: <0> | Date: <0>", "valid"),
    ("of a future time", "Last-Modified: <9999> | Date: <0>", "valid"),
    ("of no date", "Last-Modified: then | Date: <0>", "valid"),
    ("that is older than that", "Last-Modified: <-600> | Date: <0> | Age: 100", "valid"),
    *[(f"{status} by itself", f"{status} | Last-Modified: <-86400> | Date: <0>", "hit")
      for status in (200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501)],
    *[(f"{status} not by itself", f"{status} | Last-Modified: <-86400> | Date: <0>", "miss")
      for status in (201, 202, 302, 303, 307, 400, 403, 429, 500, 502, 503, 504, 599)],
    *[(f"{status} that is public",
       f"{status} | Last-Modified: <-86400> | Date: <0> | Cache-Control: public", "hit")
      for status in (201, 403, 599)],
    *[(f"{status} that says how long", f"{status} | Cache-Control: max-age=3600", "hit")
      for status in (200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502,
                     503, 504, 599)],
    *[(f"{status} that is stale", f"{status} | Expires: <-5000> | Date: <0>", "miss")
      for status in (200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502,
                     503, 504, 599)],
    ("206 never", "206 | Cache-Control: max-age=3600 | Content-Range: bytes 0-0/9", "miss"),
    ("304 that no one asked for", "304 | Cache-Control: max-age=3600", "miss"),
]

SIMPLE = {"freshness": FRESHNESS, "parsing": PARSING, "age": AGE, "expires": EXPIRES,
          "directives": DIRECTIVES, "heuristic": HEURISTIC}

FRESH = "Cache-Control: max-age=3600"
VARY = FRESH + " | Last-Modified: <-3000> | Vary: "
OLD = "Cache-Control: max-age=1500 | Age: 2000"

# (name, first request, response, second request, what the second client sees)
REQUESTS = [
    ("max-age=0", "", FRESH, "Cache-Control: max-age=0", "miss"),
    ("max-age that is shorter", "", FRESH + " | Age: 1800", "Cache-Control: max-age=600",
     "miss"),
    ("max-age that is longer", "", FRESH + " | Age: 1800", "Cache-Control: max-age=2000",
     "hit"),
    ("max-age that is no number", "", FRESH, "Cache-Control: max-age=x", "hit"),
    ("max-stale", "", OLD + ' | ETag: "a"', "Cache-Control: max-stale=1000", "stale"),
    ("max-stale of any age", "", OLD + ' | ETag: "a"', "Cache-Control: max-stale", "stale"),
    ("max-stale that is shorter", "", OLD + ' | ETag: "a"', "Cache-Control: max-stale=400",
     "valid"),
    ("max-stale, must-revalidate", "", OLD + ' | ETag: "a" | Cache-Control: must-revalidate',
     "Cache-Control: max-stale=1000", "valid"),
    ("min-fresh", "", "Cache-Control: max-age=1500", "Cache-Control: min-fresh=2000", "miss"),
    ("min-fresh of what is old", "", "Cache-Control: max-age=1500 | Age: 1000",
     "Cache-Control: min-fresh=1000", "miss"),
    ("min-fresh that is shorter", "", "Cache-Control: max-age=1500",
     "Cache-Control: min-fresh=1000", "hit"),
    ("no-cache", "", FRESH, "Cache-Control: no-cache", "miss"),
    ("no-cache, a date", "", FRESH + " | Last-Modified: <-10000>", "Cache-Control: no-cache",
     "valid"),
    ("no-cache, a tag", "", FRESH + ' | ETag: "a"', "Cache-Control: No-Cache", "valid"),
    ("no-store", "", FRESH, "Cache-Control: no-store", "bypass"),
    ("Pragma", "", FRESH, "Pragma: no-cache", "miss"),
    ("Pragma of later times", "", FRESH, "Pragma: foo", "hit"),
    ("Pragma that Cache-Control outweighs", "", FRESH,
     "Pragma: no-cache | Cache-Control: max-age=100", "hit"),
    ("Cookie that does not pass", "", FRESH, "Cookie: a=b", "hit"),
    ("Range", "", FRESH, "Range: bytes=0-1", "bypass"),
    ("If-Range", "", FRESH, 'If-Range: "a" | Range: bytes=0-1', "bypass"),
    ("If-Match", "", FRESH, 'If-Match: "a"', "bypass"),
    ("If-Unmodified-Since", "", FRESH, "If-Unmodified-Since: <0>", "bypass"),
    # What is for one user.
    ("Authorization", "Authorization: x", FRESH, "", "miss"),
    ("Authorization, the same", "Authorization: x", FRESH, "Authorization: x", "miss"),
    ("Authorization that is public", "Authorization: x", FRESH + ", public", "", "hit"),
    ("Authorization, must-revalidate", "Authorization: x", FRESH + ", must-revalidate", "",
     "hit"),
    ("Authorization, s-maxage", "Authorization: x", "Cache-Control: s-maxage=3600", "", "hit"),
    ("Authorization, proxy-revalidate", "Authorization: x", FRESH + ", proxy-revalidate", "",
     "miss"),
    # Vary.
    ("the same", "Foo: 1", VARY + "Foo", "Foo: 1", "hit"),
    ("another", "Foo: 1", VARY + "Foo", "Foo: 2", "miss"),
    ("one more", "", VARY + "Foo", "Foo: 1", "miss"),
    ("one less", "Foo: 1", VARY + "Foo", "", "miss"),
    ("an empty one", "", VARY + "Foo", "Foo:", "miss"),
    ("neither has it", "", VARY + "Foo", "", "hit"),
    ("name in another case", "FOO: 1", VARY + "fOo", "foo: 1", "hit"),
    ("one that Vary does not name", "Foo: 1 | Bar: 2", VARY + "Foo", "Foo: 1 | Bar: 3", "hit"),
    ("one that does not pass", "X-Not-Passed: 1", VARY + "X-Not-Passed", "", "hit"),
    ("two, the same", "Foo: 1 | Bar: a", VARY + "Foo, Bar", "Foo: 1 | Bar: a", "hit"),
    ("two, one of them another", "Foo: 1 | Bar: a", VARY + "Foo, Bar", "Foo: 2 | Bar: a",
     "miss"),
    ("two less", "Foo: 1 | Bar: a", VARY + "Foo, Bar", "", "miss"),
    ("three", "Foo: 1 | Bar: a | Baz: 7", VARY + "Foo, Bar, Baz", "Baz: 7 | Bar: a | Foo: 1",
     "hit"),
    ("three, the first another", "Foo: 1 | Bar: a | Baz: 7", VARY + "Foo, Bar, Baz",
     "Foo: 2 | Bar: a | Baz: 7", "miss"),
    ("three, a longer one", "Foo: 1 | Bar: a | Baz: 7", VARY + "Foo, Bar, Baz",
     "Foo: 1 | Baz: 7 | Bar: ab", "miss"),
    ("three, none has one", "Foo: 1 | Baz: 7", VARY + "Foo, Bar, Baz", "Foo: 1 | Baz: 7",
     "hit"),
    ("of two lines", "Foo: 1 | Bar: a", VARY + "Foo | Vary: Bar", "Foo: 1 | Bar: b", "miss"),
    ("moved from one to the other", "Foo: 1", VARY + "Foo, Bar", "Bar: 1", "miss"),
    ("two lines for one list", "Foo: 1, 2", VARY + "Foo", "Foo: 1 | Foo: 2", "hit"),
    ("other blanks", "Foo: 1,2", VARY + "Foo", "Foo:  1, 2 ", "hit"),
    ("languages with other blanks", "Accept-Language: en, de", VARY + "Accept-Language",
     "Accept-Language:  en ,   de", "hit"),
    ("languages in another order", "Accept-Language: en, de", VARY + "Accept-Language",
     "Accept-Language: de, en", "miss"),
    ("languages in another case", "Accept-Language: en, de", VARY + "Accept-Language",
     "Accept-Language: eN, De", "miss"),
    *[(f"Vary: {text}", "Foo: 1 | Baz: 7", VARY + text, "Foo: 1 | Baz: 7", "miss")
      for text in ("*", "*, *", "* | Vary: *", ", *", " | Vary: *", "*, Foo", "Foo, *",
                   "F oo")],
    # Whether the client has it.
    ("tag", "", FRESH + ' | ETag: "abc"', 'If-None-Match: "abc"', "unchanged"),
    ("tag of others", "", FRESH + ' | ETag: "abc"', 'If-None-Match: "abd"', "hit"),
    ("tag, not date", "", FRESH + ' | ETag: "abc" | Last-Modified: <-5000>',
     'If-None-Match: "abc" | If-Modified-Since: <-9000>', "unchanged"),
    ("date, not tag", "", FRESH + ' | ETag: "abc" | Last-Modified: <-5000>',
     'If-None-Match: "abd" | If-Modified-Since: <0>', "hit"),
    ("tag beyond ASCII", "", FRESH + ' | ETag: "ab\xfc"', 'If-None-Match: "ab\xfc"',
     "unchanged"),
    ("tag of any", "", FRESH, "If-None-Match: *", "unchanged"),
    ("tag without quotes", "", FRESH + ' | ETag: "abc"', "If-None-Match: abc", "hit"),
    ("tag without quotes of the server", "", FRESH + " | ETag: abc", 'If-None-Match: "abc"',
     "hit"),
    ("tags without quotes", "", FRESH + " | ETag: abc", "If-None-Match: abc", "unchanged"),
    ("tag in another case", "", FRESH + ' | ETag: "abc"', 'If-None-Match: "ABC"', "hit"),
    ("weak tags", "", FRESH + ' | ETag: W/"abc"', 'If-None-Match: W/"abc"', "unchanged"),
    ("weak tag of a strong one", "", FRESH + ' | ETag: "abc"', 'If-None-Match: W/"abc"',
     "unchanged"),
    ("strong tag of a weak one", "", FRESH + ' | ETag: W/"abc"', 'If-None-Match: "abc"',
     "unchanged"),
    ("weak tag, small letter", "", FRESH + ' | ETag: "abc"', 'If-None-Match: w/"abc"', "hit"),
    *[(f"tag in {text}", "", FRESH + ' | ETag: "abc"', f"If-None-Match: {text}", "unchanged")
      for text in ('"abc", "1", "2"', '"1", "abc", "2"', '"1", "2", "abc"',
                   '"1" | If-None-Match: "abc"', '"a,b", W/"abc"')],
    ("tag with a comma", "", FRESH + ' | ETag: "a,b"', 'If-None-Match: "x", "a,b"',
     "unchanged"),
    ("date", "", FRESH + " | Last-Modified: <-3000>", "If-Modified-Since: <-3000>",
     "unchanged"),
    ("later date", "", FRESH + " | Last-Modified: <-3000>", "If-Modified-Since: <-2000>",
     "unchanged"),
    ("earlier date", "", FRESH + " | Last-Modified: <-3000>", "If-Modified-Since: <-4000>",
     "hit"),
    ("date that is none", "", FRESH + " | Last-Modified: <-3000>", "If-Modified-Since: then",
     "hit"),
    ("date of what has none", "", FRESH + " | Date: <0>", "If-Modified-Since: <10>",
     "unchanged"),
    ("date of another form", "", FRESH + " | Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT",
     "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT", "unchanged"),
    ("tag of what is no 200", "", "404 | " + FRESH + ' | ETag: "abc"', 'If-None-Match: "abc"',
     "hit"),
    ("tag of what is stale", "", OLD + ' | ETag: "abc"', 'If-None-Match: "abc"', "unchanged"),
]

# (name, response, second request, whether it is used in place of an error)
ERRORS = [
    ("stale-if-error", "Cache-Control: max-age=2, stale-if-error=6000 | Age: 9", "", True),
    ("stale-if-error that is over", "Cache-Control: max-age=2, stale-if-error=5 | Age: 9", "",
     False),
    ("nothing says so", 'Cache-Control: max-age=2 | Age: 9 | ETag: "a"', "", False),
    ("must-revalidate",
     'Cache-Control: max-age=2, must-revalidate, stale-if-error=6000 | Age: 9 | ETag: "a"', "",
     False),
    ("proxy-revalidate",
     'Cache-Control: max-age=2, proxy-revalidate, stale-if-error=6000 | Age: 9 | ETag: "a"', "",
     False),
    ("no-cache", 'Cache-Control: max-age=2, no-cache, stale-if-error=6000 | ETag: "a"', "",
     False),
    ("s-maxage", 'Cache-Control: max-age=2, s-maxage=2 | Age: 9 | ETag: "a"', "", False),
    ("max-stale", 'Cache-Control: max-age=2 | Age: 9 | ETag: "a"', "Cache-Control: max-stale",
     True),
    ("no-cache of the client", "Cache-Control: max-age=2, stale-if-error=6000 | Age: 9",
     "Cache-Control: no-cache", False),
]
