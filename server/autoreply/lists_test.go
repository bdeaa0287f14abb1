package autoreply

import "testing"

// TestMailingLists has headers as lists and services write them, all of them with an own
// address in To, where some of these programs put it. Two guards hold against each: the
// reverse-path or the address alone would do, and so would the header.
func TestMailingLists(t *testing.T) {
	for name, c := range map[string]struct{ from, header string }{
		"Mailman 2": {"golang-bounces+alice=example.org@lists.example.net", `Received: from lists.example.net (localhost [127.0.0.1])
	by lists.example.net (Postfix) with ESMTP id 5A0C31A0B2;
	Thu, 24 Dec 2026 10:11:12 +0000 (UTC)
From: Zoe Zander <z@example.net>
To: alice@example.org
Date: Thu, 24 Dec 2026 11:11:02 +0100
Message-ID: <20261224101102.GA1234@example.net>
MIME-Version: 1.0
Content-Type: text/plain; charset="us-ascii"
X-BeenThere: golang@lists.example.net
X-Mailman-Version: 2.1.39
Precedence: list
List-Id: Talk about Go <golang.lists.example.net>
List-Unsubscribe: <https://lists.example.net/options/golang>,
	<mailto:golang-request@lists.example.net?subject=unsubscribe>
List-Archive: <https://lists.example.net/pipermail/golang/>
List-Post: <mailto:golang@lists.example.net>
List-Help: <mailto:golang-request@lists.example.net?subject=help>
Subject: [golang] Generics
Errors-To: golang-bounces+alice=example.org@lists.example.net
Sender: "golang" <golang-bounces+alice=example.org@lists.example.net>
`},
		"Mailman 3": {"talk-bounces@lists.example.net", `Message-ID: <160871@lists.example.net>
Date: Thu, 24 Dec 2026 10:00:00 -0000
MIME-Version: 1.0
From: Zoe Zander via Talk <talk@lists.example.net>
To: alice@example.org
Reply-To: Zoe Zander <z@example.net>
Subject: [Talk] Hello
Message-ID-Hash: 4IVIZ5J3QJ5OQ4D4QVYX7CXYHD2Q6S5B
X-Message-ID-Hash: 4IVIZ5J3QJ5OQ4D4QVYX7CXYHD2Q6S5B
X-MailFrom: z@example.net
X-Mailman-Rule-Misses: dmarc-mitigation; no-senders; approved; loop
X-Mailman-Version: 3.3.9
Precedence: list
List-Id: Talk <talk.lists.example.net>
Archived-At: <https://lists.example.net/hyperkitty/list/talk@lists.example.net/message/4IVI/>
List-Archive: <https://lists.example.net/hyperkitty/list/talk@lists.example.net/>
List-Help: <mailto:talk-request@lists.example.net?subject=help>
List-Owner: <mailto:talk-owner@lists.example.net>
List-Post: <mailto:talk@lists.example.net>
List-Subscribe: <mailto:talk-join@lists.example.net>
List-Unsubscribe: <mailto:talk-leave@lists.example.net>
Content-Type: text/plain; charset="utf-8"
`},
		"Google Groups": {"project+bncBDAAAAAAAAABBAAAAA@groups.example.com", `X-Google-Smtp-Source: AGHT+IEabc
From: Zoe Zander <z@example.net>
To: alice@example.org
Date: Thu, 24 Dec 2026 02:03:04 -0800 (PST)
Message-Id: <b5b5e1a7-0000-4444-8888-0123456789abn@groups.example.com>
Subject: [project] Release 1.2
Mime-Version: 1.0
Content-Type: multipart/mixed; boundary="----=_Part_1_1.1"
X-Original-Sender: z@example.net
Precedence: list
Mailing-list: list project@groups.example.com; contact project+owners@groups.example.com
List-ID: <project.groups.example.com>
X-Google-Group-Id: 123456789012
List-Post: <https://groups.example.com/group/project/post>, <mailto:project@groups.example.com>
List-Help: <https://support.example.com/>, <mailto:project+help@groups.example.com>
List-Archive: <https://groups.example.com/group/project>
List-Subscribe: <https://groups.example.com/group/project/subscribe>
List-Unsubscribe: <mailto:googlegroups-manage+123456789012+unsubscribe@groups.example.com>
`},
		"Sympa": {"actualites-owner@listes.example.net", `From: Zoe Zander <z@example.net>
To: alice@example.org
Subject: [actualites] =?UTF-8?Q?R=C3=A9union?=
Date: Thu, 24 Dec 2026 11:00:00 +0100
Message-ID: <5fe46b30.1@example.net>
X-Sympa-To: actualites@listes.example.net
X-Loop: actualites@listes.example.net
X-Sequence: 1234
Errors-To: actualites-owner@listes.example.net
Precedence: list
Precedence: bulk
Sender: actualites-request@listes.example.net
X-no-archive: yes
List-Id: <actualites.listes.example.net>
List-Help: <mailto:sympa@listes.example.net?subject=help>
List-Subscribe: <mailto:sympa@listes.example.net?subject=subscribe%20actualites>
List-Unsubscribe: <mailto:sympa@listes.example.net?subject=unsubscribe%20actualites>
List-Post: <mailto:actualites@listes.example.net>
List-Owner: <mailto:actualites-request@listes.example.net>
`},
		"Discourse": {"noreply@forum.example.net", `Date: Thu, 24 Dec 2026 10:00:00 +0000
From: Zoe Zander via Forum <noreply@forum.example.net>
Reply-To: Forum <incoming+0123456789abcdef@forum.example.net>
To: alice@example.org
Message-ID: <discourse/post/12345@forum.example.net>
Subject: [Forum] [Support] A question
Mime-Version: 1.0
Content-Type: multipart/alternative; boundary="--==_mimepart_5fe4"
X-Discourse-Post-Id: 12345
X-Discourse-Topic-Id: 678
Precedence: list
List-ID: Forum | Support <support.forum.forum.example.net>
List-Archive: https://forum.example.net/t/a-question/678
X-Auto-Response-Suppress: All
Auto-Submitted: auto-generated
Feedback-ID: forum.example.net:user_posted:discoursemail
`},
		"GitHub": {"noreply@github.example", `Date: Thu, 24 Dec 2026 02:00:00 -0800
From: Zoe Zander <notifications@github.example>
Reply-To: org/project <reply+ABCDEF@reply.github.example>
To: alice@example.org
Cc: Alice Martin <alice@example.org>, Mention <mention@noreply.github.example>
Message-ID: <org/project/pull/42/c1234567890@github.example>
Subject: Re: [org/project] Fix the parser (PR #42)
Mime-Version: 1.0
Content-Type: multipart/alternative;
 boundary="--==_mimepart_5fe46b30_1";
 charset=UTF-8
Precedence: list
X-GitHub-Sender: zoe
X-GitHub-Recipient: alice
X-GitHub-Reason: mention
List-ID: org/project <project.org.github.example>
List-Archive: https://github.example/org/project
List-Post: <mailto:reply+ABCDEF@reply.github.example>
List-Unsubscribe: <mailto:unsub+ABCDEF@reply.github.example>,
 <https://github.example/notifications/unsubscribe/ABCDEF>
X-Auto-Response-Suppress: All
`},
		"Mailchimp": {"bounce-mc.us1_123456.789-alice=example.org@mail1.mcsv.example", `From: =?utf-8?Q?The=20Shop?= <news@shop.example>
Reply-To: =?utf-8?Q?The=20Shop?= <news@shop.example>
To: <alice@example.org>
Date: Thu, 24 Dec 2026 10:00:00 +0000
Message-ID: <0123456789abcdef.aabbccdd@mail1.mcsv.example>
X-Mailer: Mailchimp Mailer - **CID0123**
X-Campaign: mailchimp0123456789
x-mcda: FALSE
List-ID: 0123456789mc list <0123456789.123456.list-id.mcsv.example>
X-campaignid: mailchimp0123456789
List-Unsubscribe: <https://shop.example/unsubscribe?u=1>, <mailto:unsubscribe-mc@mailin1.example?subject=unsubscribe>
List-Unsubscribe-Post: List-Unsubscribe=One-Click
Sender: "The Shop" <news=shop.example@mail1.mcsv.example>
Subject: =?utf-8?Q?Winter=20sale?=
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="_----------=_MCPart_1"
`},
		"Majordomo": {"owner-talk@lists.example.net", `Date: Thu, 24 Dec 2026 10:00:00 +0000
From: z@example.net
To: alice@example.org
Subject: hello
Sender: owner-talk@lists.example.net
Precedence: bulk
`},
		"ezmlm": {"talk-return-1234-alice=example.org@lists.example.net", `Mailing-List: contact talk-help@lists.example.net; run by ezmlm
Precedence: bulk
List-Post: <mailto:talk@lists.example.net>
List-Help: <mailto:talk-help@lists.example.net>
List-Unsubscribe: <mailto:talk-unsubscribe@lists.example.net>
Delivered-To: mailing list talk@lists.example.net
From: z@example.net
To: alice@example.org
Subject: hello
`},
	} {
		if _, why := Judge(question{header: c.header}.request(t)); why != ListMail && why != BulkMail {
			t.Errorf("%s, with a plain reverse-path: %q", name, why)
		}
		if _, why := Judge(question{from: c.from, header: c.header}.request(t)); why == "" {
			t.Errorf("%s is answered", name)
		}
	}
}
