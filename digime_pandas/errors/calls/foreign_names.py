"""Arguments and methods of pandas and of other programs, and what to do here instead."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_CSV_FORM = (
    "CSV is written in one form: commas, quotes where needed, UTF-8. For another one, send ready bytes: "
    "client.write(df.to_csv(index=False, {0}=...).encode(), file_name, descriptor, authorization)."
)
_READING = "Reading restores the frame as it was written. Leave {}= out, and change the frame that comes back."
_EACH = "{0}= is an argument of write_each, which writes one file per person. Leave it out here."
_SENDING = "{0}= is an argument of what sends. Leave it out here."
_OF_CLIENT = "It is an option of the client: digime.connect(..., {}=...)."
_VERSIONS = "Every write adds a file and none is replaced: read_frame gives the newest of a name. Leave {}= out."

_GROUPS: tuple[tuple[str, str], ...] = (
    (
        "sep delimiter encoding na_rep quoting quotechar quote escapechar lineterminator line_terminator",
        _CSV_FORM,
    ),
    ("float_format date_format doublequote header index_label", _CSV_FORM),
    ("decimal", "CSV is written with decimal points. Did you mean decimals=, an option of JSON?"),
    ("orient lines", "Give the file a name that ends in .ndjson for one object per line, in .json for one array."),
    ("overwrite if_exists mode append replace exist_ok", _VERSIONS),
    ("dry_run dryrun simulate", "preview(...) with the same arguments shows what would be sent, and sends nothing."),
    ("engine partition_cols storage_options", "Leave {}= out: there is one way of writing."),
    ("nrows head n_rows top", "Use limit=, the most rows to return."),
    ("usecols", "Use columns=, a list of names."),
    ("chunksize iterator", "digime.read_batches(file_name, account_id) gives a file in pieces, of batch_rows= rows."),
    ("dtype parse_dates dtype_backend index_col converters names skiprows na_values filters", _READING),
    ("account account_ids user user_id person person_id patient patient_id id accounts", "Use account_id=."),
    ("name filename path file fname filepath path_or_buf path_or_buffer", "Use file_name=."),
    ("content_type media_type mimetype contenttype", "Use mime_type=."),
    ("labels label keywords", "Use tags=, a list of texts."),
    ("n_jobs jobs threads max_workers num_workers parallel", "write_each has workers=, the files sent at a time."),
    ("verbose pbar progress_bar show_progress silent quiet tqdm", "Use progress=, True or False."),
    ("on_error raise_errors error", "write_each has errors='collect' or errors='raise'."),
    ("skip_missing on_missing", "write_each has missing='skip' or missing='error'."),
    ("dropna drop_na", "write_each has drop_null=True."),
    ("group_by groupby on key group", "write_each has by=, the label of the column of account ids."),
    ("retries max_retries attempts", _OF_CLIENT.format("max_attempts")),
    ("max_attempts deadline base_url onboard_url tokens agent transport ca read_contract", _OF_CLIENT),
    ("url host endpoint server api_url", _OF_CLIENT.format("base_url")),
    ("token_store store", _OF_CLIENT.format("tokens")),
    ("contract scope", "Use access='write' or access='read'."),
    ("compress codec", "Use compression=, which Parquet has."),
    ("missing drop_null keep_key workers errors by", _EACH),
    ("client authorization progress journal", _SENDING),
)
FOREIGN_ARGUMENTS: Mapping[str, str] = MappingProxyType(
    {name: advice.format(name) for names, advice in _GROUPS for name in names.split()}
)
"""What to do instead of giving an argument of this name, where no argument here is called so."""

FOREIGN_METHODS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            ("to_csv", "to_json", "to_parquet", "save", "send", "upload", "put", "export", "dump", "store"),
            'df.digime.write("visits.parquet", account_id="patient-17") writes a frame.',
        ),
        **dict.fromkeys(
            ("read", "read_csv", "read_json", "read_parquet", "load", "get", "download", "fetch", "read_frame"),
            'digime.read_frame("visits.parquet", account_id="patient-17") reads a file back.',
        ),
        **dict.fromkeys(
            ("ls", "list", "list_files", "listdir", "library_files", "file_list", "glob"),
            'client.files("patient-17") lists what is in a library.',
        ),
        **dict.fromkeys(
            ("login", "auth", "consent", "ask", "connect_account"),
            'digime.authorize("patient-17") asks a person for consent, in a notebook '
            'digime.AuthorizationWidget("patient-17").',
        ),
        **dict.fromkeys(
            ("delete", "remove", "rm", "unlink"), "Nothing in a library can be deleted or replaced from here."
        ),
        "Sandbox": "It is elsewhere: from digime_pandas.sandbox import Sandbox.",
        **dict.fromkeys(("init", "setup", "configure", "login"), 'digime.connect("sandbox") makes a client.'),
    }
)
"""What to do instead of using an attribute of this name."""
