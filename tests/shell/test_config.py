"""What a configuration means, and how a wrong one is refused."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.errors import ConfigError, ExitCode
from syncd.shell.config import (
    AUTH_KEYS,
    DEFAULT_SYNC,
    MAIL_KEYS,
    SYNC_KEYS,
    TOP_KEYS,
    Auth,
    Config,
    MailPolicy,
    SyncSettings,
    check_tables,
    load_config,
    read_secret,
    written_default,
)
from syncd.shell.config_errors import key_path, shown
from syncd.shell.durations import MOST_S, format_duration, parse_duration

ROOT = Path(__file__).resolve().parents[2]
ID = "11111111-2222-3333-4444-555555555555"
ACCOUNT = f'[accounts.work.auth]\nclient_id = "{ID}"\n'

Load = Callable[..., Config]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a text as the configuration of a person whose home is below `tmp_path`."""

    def load(text: str, *, account: str = ACCOUNT, **env: str) -> Config:
        file = tmp_path / "config.toml"
        file.write_text(f"{text}\n{account}")
        return load_config(file, {"HOME": str(tmp_path / "home"), **env})

    return load


@pytest.fixture
def refused(load: Load) -> Callable[..., list[str]]:
    """The findings, one line each, that a text is refused with."""

    def refused(text: str, **more: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(text, **more)
        assert caught.value.exit_code is ExitCode.USAGE
        return str(caught.value).splitlines()

    return refused


def account(**keys: str) -> str:
    """An account's [auth] table."""
    return "[accounts.work.auth]\n" + "\n".join(f"{key} = {value}" for key, value in keys.items())


class TestMeaning:
    def test_least_configuration(self, load: Load, tmp_path: Path) -> None:
        """One account with a client id is enough; all else has defaults."""
        config = load("")

        assert tmp_path / "home/Calendars" == config.export_dir
        assert tmp_path / "home/.local/state/syncd" == config.state_dir
        assert config.accounts["work"].sync_for("anything") == DEFAULT_SYNC
        assert (config.log.level, config.log.format) == ("info", "auto")

    def test_defaults(self) -> None:
        """The defaults are those of the contract."""
        assert (
            SyncSettings(
                poll_interval_s=60,
                true_up_s=21_600,
                past_days=90,
                future_days=365,
                direction="two-way",
                conflict="remote",
                max_deletes=10,
                max_delete_percent=10,
                max_imports=20,
                mail=MailPolicy("hold", "send", "hold", "send"),
                history_s=7_776_000,
                export_mode=0o600,
                html="none",
                rich_body="hold",
                locations="text",
                attachments="link",
                delete_attachments=False,
                cancelled_override="hold",
                foreign_meeting="hold",
                feeds=False,
            )
            == DEFAULT_SYNC
        )

    def test_example_file_spells_the_defaults(self, tmp_path: Path) -> None:
        """The example file loads, and says nothing but the defaults where it claims so."""
        config = load_config(ROOT / "config.example.toml", {"HOME": str(tmp_path)})

        work = config.accounts["work"]
        assert work.sync == DEFAULT_SYNC
        assert work.sync_for("Team").direction == "pull"
        assert (work.user, work.base_url) == ("me", "https://graph.microsoft.com/v1.0")

    def test_example_file_names_every_key(self) -> None:
        """Whoever reads the example has seen every key."""
        text = (ROOT / "config.example.toml").read_text()

        missing = [key.name for key in (*TOP_KEYS, *SYNC_KEYS, *AUTH_KEYS) if key.name not in text]
        assert missing == []

    def test_tables_merge_key_by_key_from_general_to_special(self, load: Load) -> None:
        """An account overrides [sync], a calendar overrides its account, mail rules one by one."""
        config = load(
            """
            [sync]
            past_days = 1
            future_days = 2
            mail = { invitations = "send" }
            [accounts.work.sync]
            future_days = 3
            max_imports = 4
            mail.updates = "never"
            [accounts.work.calendars."My Team"]
            max_imports = 5
            mail = { responses = "hold" }
            """
        )

        general, special = (config.accounts["work"].sync_for(name) for name in ("x", "My Team"))
        assert (general.past_days, general.future_days, general.max_imports) == (1, 3, 4)
        assert MailPolicy("send", "never", "hold", "send") == general.mail
        assert (special.past_days, special.future_days, special.max_imports) == (1, 3, 5)
        assert MailPolicy("send", "never", "hold", "hold") == special.mail

    def test_accounts_do_not_share_what_is_special(self, load: Load) -> None:
        """What one account sets leaves the other as it was."""
        home = (
            f'[accounts.home.auth]\nclient_id = "{ID}"\n[accounts.home.sync.mail]\nupdates = "hold"'
        )

        config = load(home)

        assert config.accounts["home"].sync.mail.updates == "hold"
        assert config.accounts["work"].sync.mail.updates == "send"

    @pytest.mark.parametrize("key", SYNC_KEYS, ids=lambda key: key.name)
    def test_every_sync_key_stands_in_all_three_tables(self, load: Load, key) -> None:
        """Whatever [sync] takes, an account and a calendar take too."""
        line = f"{key.name} = {written_default(key)}"

        config = load(
            f"[sync]\n{line}\n[accounts.work.sync]\n{line}\n[accounts.work.calendars.c]\n{line}"
        )

        assert config.accounts["work"].sync_for("c") == DEFAULT_SYNC

    def test_tables_of_keys_and_fields_agree(self) -> None:
        """Each key is a field and each field is a key."""
        for keys, kind in ((SYNC_KEYS, SyncSettings), (MAIL_KEYS, MailPolicy), (AUTH_KEYS, Auth)):
            assert [field.name for field in fields(kind)] == [key.attribute for key in keys]

    def test_filter(self, load: Load) -> None:
        """A calendar is kept in step when it is included and not excluded."""
        chosen = (
            load('[accounts.work.calendar_filter]\ninclude = ["Team*", "Me"]\nexclude = ["*old"]')
            .accounts["work"]
            .calendar_filter
        )

        assert [n for n in ("Team A", "Team old", "Me", "me") if chosen.admits(n)] == [
            "Team A",
            "Me",
        ]

    def test_birthdays_are_left_out_by_default(self, load: Load) -> None:
        """The calendar that the service fills from the contacts is not kept in step unasked."""
        assert not load("").accounts["work"].calendar_filter.admits("Birthdays")

    @pytest.mark.parametrize(
        ("user", "kind", "user_id"),
        [
            ("me", "me", "me"),
            ("a@example.org", "user", "a@example.org"),
            ("group:4f", "group", "4f"),
        ],
    )
    def test_user(self, load: Load, user: str, kind: str, user_id: str) -> None:
        """A mailbox is one's own, a named user's or a group's."""
        work = load(f'[accounts.work]\nuser = "{user}"').accounts["work"]

        assert (kind, user_id) == (work.user_kind, work.user_id)

    def test_group_is_read_only(self, load: Load) -> None:
        """A group's calendars are pulled, whatever [sync] says for others."""
        work = load(
            '[sync]\ndirection = "two-way"\n[accounts.work]\nuser = "group:4f"\n'
            "[accounts.work.calendars.c]\npast_days = 1"
        ).accounts["work"]

        assert [work.sync_for(name).direction for name in ("b", "c")] == ["pull", "pull"]

    def test_scopes_follow_the_direction(self, load: Load) -> None:
        """Who only pulls asks for no right to write; given scopes are taken as they are."""
        pull = load('[sync]\ndirection = "pull"').accounts["work"]
        both = load("").accounts["work"]
        own = load("", account=account(client_id=f'"{ID}"', scopes='["X"]')).accounts["work"]

        assert pull.login_scopes[0] == "Calendars.Read"
        assert both.login_scopes == ("Calendars.ReadWrite", "User.Read", "MailboxSettings.Read")
        assert own.login_scopes == ("X",)

    def test_authority_follows_the_tenant(self, load: Load) -> None:
        """Without an authority, the tenant's own at Microsoft is used."""
        given = account(client_id=f'"{ID}"', tenant='"contoso.com"')

        authority = load("", account=given).accounts["work"].auth.authority

        assert authority == "https://login.microsoftonline.com/contoso.com"

    @pytest.mark.parametrize(
        "url",
        ["http://127.0.0.1:80/v1.0", "http://127.9.9.9", "http://[::1]:1/x", "http://localhost:1"],
    )
    def test_plain_http_to_this_machine(self, load: Load, url: str) -> None:
        """A simulator on this machine needs no TLS; slashes at the end do not count."""
        work = load(f'[accounts.work]\nbase_url = "{url}//"').accounts["work"]

        assert url == work.base_url

    def test_command_needs_no_client_id(self, load: Load) -> None:
        """A program that prints tokens is a login by itself."""
        given = account(method='"command"', command='["pizauth", "show", "work"]')

        assert load("", account=given).accounts["work"].auth.command == ("pizauth", "show", "work")


class TestPaths:
    def test_tilde_and_variables_expand(self, load: Load, tmp_path: Path) -> None:
        """Both forms of a variable and the home folder expand."""
        config = load('export_dir = "$BASE/cal/../c"\nstate_dir = "~/${NAME}"', BASE="/b", NAME="s")

        assert (Path("/b/c"), tmp_path / "home/s") == (config.export_dir, config.state_dir)

    def test_relative_paths_start_at_the_file(self, load: Load, tmp_path: Path) -> None:
        """A path means the same from whatever folder the program is started."""
        assert tmp_path / "cal" == load('export_dir = "cal"').export_dir

    @pytest.mark.parametrize("env", [{}, {"NOWHERE": ""}])
    def test_unset_variable(self, refused, env: Mapping[str, str]) -> None:
        """A variable that is not set or empty is refused: it would lead to another folder."""
        (line,) = refused('export_dir = "$NOWHERE/cal"', **env)

        assert "export_dir" in line
        assert "$NOWHERE is not set" in line

    def test_unknown_user(self, refused) -> None:
        """A home folder that nobody has is refused."""
        assert [
            word for word in refused('export_dir = "~no-such-user/c"')[0].split() if word[0] == "~"
        ][:1] == ["~no-such-user"]

    def test_state_folder_of_the_service_manager(self, load: Load) -> None:
        """$STATE_DIRECTORY goes before XDG, and its first folder is ours."""
        config = load("", STATE_DIRECTORY="/s/one:/s/two", XDG_STATE_HOME="/x")

        assert Path("/s/one") == config.state_dir

    def test_state_folder_of_xdg(self, load: Load, tmp_path: Path) -> None:
        """$XDG_STATE_HOME is used when absolute, and ignored otherwise."""
        assert Path("/x/syncd") == load("", XDG_STATE_HOME="/x").state_dir
        assert tmp_path / "home/.local/state/syncd" == load("", XDG_STATE_HOME="x").state_dir

    @pytest.mark.parametrize(
        ("export", "state"), [("/a/b", "/a/b"), ("/a", "/a/b"), ("/a/b/../c/d", "/a/c")]
    )
    def test_folders_within_each_other(self, refused, export: str, state: str) -> None:
        """syncd would watch its own writes."""
        (line,) = refused(f'export_dir = "{export}"\nstate_dir = "{state}"')

        assert "state_dir: found" in line
        assert "neither within the other" in line

    def test_folders_within_each_other_through_a_link(self, refused, tmp_path: Path) -> None:
        """A link does not hide that one folder is in the other."""
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "real")

        (line,) = refused('export_dir = "real"\nstate_dir = "link/state"')

        assert "neither within the other" in line


class TestFinding:
    def test_order_of_places(self, tmp_path: Path) -> None:
        """--config goes before $SYNCD_CONFIG, and that before XDG."""
        named, variable, own = (
            tmp_path / name for name in ("a.toml", "b.toml", "x/syncd/config.toml")
        )
        own.parent.mkdir(parents=True)
        for file in (named, variable, own):
            file.write_text(ACCOUNT)
        env = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "x")}
        both = {**env, "SYNCD_CONFIG": str(variable)}

        assert named == load_config(named, both).path
        assert variable == load_config(None, both).path
        assert own == load_config(None, env).path

    def test_home_without_xdg(self, tmp_path: Path) -> None:
        """Without $XDG_CONFIG_HOME, ~/.config is looked into."""
        file = tmp_path / ".config/syncd/config.toml"
        file.parent.mkdir(parents=True)
        file.write_text(ACCOUNT)

        assert file == load_config(None, {"HOME": str(tmp_path)}).path

    def test_named_file_is_missing(self, tmp_path: Path) -> None:
        """A file that was named is not replaced by another one."""
        file = tmp_path / ".config/syncd/config.toml"
        file.parent.mkdir(parents=True)
        file.write_text(ACCOUNT)

        with pytest.raises(ConfigError, match="no-such") as caught:
            load_config(None, {"HOME": str(tmp_path), "SYNCD_CONFIG": str(tmp_path / "no-such")})

        assert "syncd init" in caught.value.hint

    def test_folder(self, tmp_path: Path) -> None:
        """A folder is no configuration."""
        with pytest.raises(ConfigError, match="is no file"):
            load_config(tmp_path, {})

    def test_pipe(self, tmp_path: Path) -> None:
        """A pipe that nobody writes to is refused instead of waited for."""
        os.mkfifo(tmp_path / "pipe")

        with pytest.raises(ConfigError, match="is no file"):
            load_config(tmp_path / "pipe", {})

    @pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
    def test_forbidden(self, tmp_path: Path) -> None:
        """A file that may not be read is no missing file."""
        file = tmp_path / "c.toml"
        file.write_text(ACCOUNT)
        file.chmod(0)

        with pytest.raises(ConfigError, match="cannot be read"):
            load_config(file, {})

    def test_link_loop(self, tmp_path: Path) -> None:
        """A link to itself cannot be read, and is not taken for a missing file."""
        (tmp_path / "loop").symlink_to("loop")

        with pytest.raises(ConfigError, match="cannot be read"):
            load_config(tmp_path / "loop", {})

    def test_syntax_error(self, refused) -> None:
        """What is no TOML is refused with file and line."""
        (line,) = refused("export_dir = \n")

        assert "config.toml" in line
        assert "line 1" in line

    @pytest.mark.parametrize("text", ["x = " + "9" * 5000, "x = " + "[" * 100_000])
    def test_monstrous_toml(self, refused, text: str) -> None:
        """Numbers and nestings beyond what the parser can bear are refused like other bad TOML."""
        assert "is not TOML" in refused(text)[0]

    def test_not_utf_8(self, tmp_path: Path) -> None:
        """Another encoding is refused with the line where it shows."""
        file = tmp_path / "c.toml"
        file.write_bytes(b'[log]\nlevel = "\xff"\n')

        with pytest.raises(ConfigError, match="line 2 is not UTF-8"):
            load_config(file, {})


class TestRefusals:
    def test_finding_tells_everything(self, refused, tmp_path: Path) -> None:
        """A finding has file, key path, what was found, what is allowed, and the nearest name."""
        (line,) = refused('[accounts.work.calendars."My Team"]\ndirection = "two-wax"')

        assert line == (
            f'{tmp_path}/config.toml: accounts.work.calendars."My Team".direction: '
            'found "two-wax"; allowed: two-way | pull; did you mean two-way?'
        )

    def test_all_findings_at_once(self, refused) -> None:
        """Everything that is wrong is told in one go, a line each."""
        lines = refused('colour = 1\n[log]\nlevel = "loud"\n[sync]\npast_days = "x"\nfeed = true')

        assert [line.split(": ")[1] for line in lines] == [
            "colour",
            "log.level",
            "sync.past_days",
            "sync.feed",
        ]
        assert lines[-1].endswith("did you mean feeds?")

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            *product(
                ["poll_interval", "true_up", "history"], ['"0s"', '"1"', '"1w"', '"1.5h"', "60"]
            ),
            *product(["poll_interval"], ['"-1s"', '""', '"1s "', '"99999999999d"', "true", "[]"]),
            *product(
                ["max_deletes", "max_imports", "past_days"], ["-1", "true", "1.0", '"1"', "[1]"]
            ),
            *product(["max_deletes"], ["99999999999999999999", "nan", "1979-05-27"]),
            *product(["max_delete_percent"], ["101", "-1", "false"]),
            *product(["export_mode"], ["600", '"0400"', '"0060"', '"4600"', '"0608"', '"0o600"']),
            *product(["feeds", "delete_attachments"], ['"true"', "1", "0"]),
            *product(["html", "mail", "attachments", "conflict"], ['"HOLD"', "true", "[]"]),
            *product(["mail"], ['{ invitations = "ask" }', "{ invitations = true }", "{ a = 1 }"]),
            *product(["locations", "rich_body", "foreign_meeting"], ['""', "{}"]),
        ],
    )
    def test_value_that_cannot_be(self, refused, key: str, value: str) -> None:
        """Wrong types and impossible values are one finding each, at their key."""
        (line,) = refused(f"[sync]\n{key} = {value}")

        assert f": sync.{key}" in line

    @pytest.mark.parametrize(
        "line",
        [
            'base_url = "http://graph.microsoft.com"',
            'base_url = "ftp://127.0.0.1"',
            'base_url = "http://127.0.0.1.example.org"',
            'base_url = "http://localhost.example.org"',
            'base_url = "https://"',
            'base_url = "https://host:port"',
            'base_url = "https://host:99999"',
            'base_url = "https://[::1"',
            'base_url = "https://host?x=1"',
            'base_url = "https://host#x"',
            'base_url = "https://ho\\tst"',
            'base_url = "https://host\\\\@other"',
            'base_url = "http://127.0.0.1\\\\.example.org"',
            'base_url = ""',
            'user = ""',
            'user = "group:"',
            'user = "a/b"',
            'user = "a\\nb"',
            'api = "ews"',
            'addresses = ["nobody"]',
            'addresses = "a@b"',
            "addresses = [1]",
            'ca_file = "no-such.pem"',
            'ca_file = "/"',
            'calendar_filter = "x"',
            "calendars = 1",
            "auth = []",
            "sync = 1",
        ],
    )
    def test_account_value_that_cannot_be(self, refused, line: str) -> None:
        """An account's values are checked one by one, too."""
        key = line.split(" ")[0]

        lines = refused(
            f"[accounts.work]\n{line}",
            account="" if key == "auth" else ACCOUNT,
        )

        assert f": accounts.work.{key}: found" in lines[0]

    def test_password_in_a_url_is_not_shown(self, refused) -> None:
        """A URL with a user name is refused, and its password stays out of the message."""
        (line,) = refused('[accounts.work]\nbase_url = "https://me:hunter2@host"')

        assert "user name" in line
        assert "hunter2" not in line

    def test_secret_in_the_file(self, refused) -> None:
        """A secret written into the configuration is not shown, and the right way is named."""
        given = account(client_id=f'"{ID}"', client_secret='"hunter2"')

        (line,) = refused("", account=given)

        assert "client_secret_file" in line
        assert "hunter2" not in line

    def test_secret_in_place_of_its_file(self, refused) -> None:
        """A secret pasted where its file should be named is not shown."""
        given = account(client_id=f'"{ID}"', client_secret_file='"hunter2"')

        (line,) = refused("", account=given)

        assert "accounts.work.auth.client_secret_file" in line
        assert "hunter2" not in line

    @pytest.mark.parametrize("days", [(1000, 801), (1800, 1), (0, 1801)])
    def test_window_too_long(self, refused, days: tuple[int, int]) -> None:
        """Past and future together are at most 1800 days."""
        lines = refused(f"[sync]\npast_days = {days[0]}\nfuture_days = {days[1]}")

        assert len(lines) == 1
        assert "1800" in lines[0]

    def test_window_too_long_by_merging(self, refused) -> None:
        """Each table may be right by itself; what counts is what a calendar gets."""
        (line,) = refused("[sync]\npast_days = 900\n[accounts.work.calendars.c]\nfuture_days = 901")

        assert "accounts.work.calendars.c.future_days: found 1801 days" in line

    def test_longest_window(self, load: Load) -> None:
        """1800 days in all are allowed."""
        settings = load("[sync]\npast_days = 900\nfuture_days = 900").accounts["work"].sync

        assert settings.past_days + settings.future_days == 1800

    @pytest.mark.parametrize("table", ["hooks", "metrics", "web", "fleet"])
    def test_reserved_table(self, refused, table: str) -> None:
        """Tables of later versions are refused as such."""
        (line,) = refused(f"[{table}]\nx = 1")

        assert "reserved for later" in line

    def test_key_in_another_table(self, refused) -> None:
        """A key that exists elsewhere is sent there."""
        (line,) = refused('poll_interval = "1s"')

        assert "allowed: poll_interval in [sync]" in line

    @pytest.mark.parametrize("text", ["", "accounts = {}"])
    def test_no_account(self, refused, text: str) -> None:
        """Without an account there is nothing to do."""
        (line,) = refused(text, account="")

        assert "[accounts.NAME]" in line

    @pytest.mark.parametrize(
        "name",
        ["", ".", "..", ".feeds", "a/b", "a\\\\b", "-x", " x", "x ", "a\\nb", "x" * 65, "🗓" * 64],
    )
    def test_account_name_that_is_no_folder(self, refused, name: str) -> None:
        """An account's name becomes a folder and must be safe as one."""
        (line,) = refused("", account=f'[accounts."{name}".auth]\nclient_id = "{ID}"')

        assert "a name that cannot be a folder's" in line

    @pytest.mark.parametrize("name", ["Büro", "a b", "x" * 64, "me@example.org"])
    def test_account_name_of_any_script(self, load: Load, name: str) -> None:
        """Spaces within and letters of any script are fine."""
        config = load("", account=f'[accounts."{name}".auth]\nclient_id = "{ID}"')

        assert [name] == list(config.accounts)

    @pytest.mark.parametrize("method", ["client-secret", "client-certificate"])
    def test_me_without_a_person(self, refused, method: str) -> None:
        """A program that signs in as itself has no own mailbox; the remedy is named."""
        given = account(
            method=f'"{method}"',
            client_id=f'"{ID}"',
            client_secret_file='"/s"',
            certificate_file='"/c"',
        )

        (line,) = refused("", account=given)

        assert 'accounts.work.user: found "me"' in line
        assert 'a user id, a UPN or "group:<id>"' in line

    def test_outlook_v2(self, refused) -> None:
        """The reserved dialect is refused in its own words."""
        (line,) = refused('[accounts.work]\napi = "outlook-v2"')

        assert "a dialect that does not exist yet" in line

    @pytest.mark.parametrize("method", ["device-code", "interactive"])
    def test_no_client_id(self, refused, method: str) -> None:
        """Whoever has no client id learns how to get one."""
        (line,) = refused("", account=account(method=f'"{method}"'))

        assert "accounts.work.auth.client_id" in line
        assert "App registrations, New registration" in line

    @pytest.mark.parametrize("command", ["[]", '[""]', "[1]", '"pizauth show"'])
    def test_no_command(self, refused, command: str) -> None:
        """Method "command" needs a program, as a list."""
        lines = refused("", account=account(method='"command"', command=command))

        assert all("accounts.work.auth.command" in line for line in lines)

    @pytest.mark.parametrize(
        ("method", "key"),
        [("client-secret", "client_secret_file"), ("client-certificate", "certificate_file")],
    )
    def test_no_secret(self, refused, method: str, key: str) -> None:
        """An application login needs to know where its secret lies."""
        given = account(method=f'"{method}"', client_id=f'"{ID}"')

        (line,) = refused('[accounts.work]\nuser = "x"', account=given)

        assert f"accounts.work.auth.{key}" in line

    def test_two_way_for_a_group(self, refused) -> None:
        """Asking to write to a group's calendars is refused where it is asked."""
        (line,) = refused(
            '[accounts.work]\nuser = "group:4f"\n[accounts.work.calendars.c]\ndirection = "two-way"'
        )

        assert "accounts.work.calendars.c.direction" in line

    def test_calendar_that_is_no_table(self, refused) -> None:
        """What stands under a calendar's name is a table."""
        (line,) = refused("[accounts.work.calendars]\nc = 1")

        assert "accounts.work.calendars.c: found an integer 1; allowed: a table" in line

    def test_account_that_is_no_table(self, refused) -> None:
        """What stands under an account's name is a table."""
        (line,) = refused("[accounts]\nhome = 1")

        assert "accounts.home: found an integer 1; allowed: a table" in line


class TestSecrets:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        """A file with a secret that only its owner reads."""
        file = tmp_path / "secret"
        file.write_text("hunter2\n")
        file.chmod(0o600)
        return file

    def test_file(self, file: Path) -> None:
        """The line end that editors add is no part of the secret."""
        assert read_secret(str(file), {}) == "hunter2"

    def test_only_one_line_end_goes(self, file: Path) -> None:
        """What stands before the last line end is the secret, whatever it is."""
        file.write_text("a \n\n")

        assert read_secret(str(file), {}) == "a \n"

    def test_credential_of_the_service_manager(self, file: Path) -> None:
        """A credential is found where systemd puts it."""
        env = {"CREDENTIALS_DIRECTORY": str(file.parent)}

        assert read_secret("$CREDENTIALS_DIRECTORY/secret", env) == "hunter2"

    def test_variable(self) -> None:
        """A variable's value is taken."""
        assert read_secret("env:S", {"S": "hunter2"}) == "hunter2"

    @pytest.mark.parametrize(
        "spec", ["env:S", "$NO/secret", "/no/such/file", "relative", "/", "/dev/null"]
    )
    def test_nothing_there(self, spec: str) -> None:
        """A secret that is not there is a finding."""
        with pytest.raises(ConfigError):
            read_secret(spec, {})

    @pytest.mark.parametrize("mode", [0o604, 0o602, 0o644, 0o666])
    def test_open_to_everybody(self, file: Path, mode: int) -> None:
        """A file that others may read or write is refused, with the remedy."""
        file.chmod(mode)

        with pytest.raises(ConfigError, match="open to everybody") as caught:
            read_secret(str(file), {})

        assert "chmod 600" in caught.value.hint
        assert "hunter2" not in str(caught.value)

    def test_no_text(self, file: Path) -> None:
        """Bytes that are no text are refused, and not shown in the chain of causes either."""
        file.write_bytes(b"\xff")

        with pytest.raises(ConfigError, match="it is no text") as caught:
            read_secret(str(file), {})

        assert caught.value.__suppress_context__


class TestDurations:
    @given(st.integers(0, MOST_S))
    def test_written_and_read(self, seconds: int) -> None:
        """Every duration that can be written reads as itself."""
        assert seconds == parse_duration(format_duration(seconds))

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [("90s", 90), ("5m", 300), ("1h", 3600), ("6h", 21600), ("90d", 7776000)],
    )
    def test_forms(self, text: str, seconds: int) -> None:
        """The forms that the documentation names."""
        assert seconds == parse_duration(text)

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """Whatever stands there is a duration or a ValueError."""
        with suppress(ValueError):
            assert 0 <= parse_duration(text) <= MOST_S


_NAMES = st.sampled_from(["sync", "auth", "mail", "calendars", "user", "ca_file", "past_days", "c"])
_VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)


class TestHostileFiles:
    @given(st.text(max_size=80))
    def test_shown_on_one_line(self, text: str) -> None:
        """Whatever a value or a name holds, a finding stays one printable line."""
        assert shown(text).isprintable()
        assert key_path((text, "x")).isprintable()

    @given(_VALUES)
    def test_any_tables(self, value: object) -> None:
        """Tables of any shape are a configuration or a ConfigError, never another failure."""
        raw = {"accounts": {"work": value}, "sync": value, "colour": 1}

        with pytest.raises(ConfigError, match="colour: found an unknown key"):
            check_tables(raw, Path("/c.toml"), {"HOME": "/h"})
