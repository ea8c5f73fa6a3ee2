"""What was heard, kept on disk through crashes and power cuts, and read again.

In go messages as they are published; out come records of any span of time, and files of them. This room knows nothing
of audio, of recognition and of who is connected.

`session_log.SessionLog` is what a service writes to, `reader.LogReader` what everybody else reads with, also meanwhile:

==================  =====================================================================================
`settings`          `SessionLogSettings`, `default_path`: where the log is, and how much it keeps
`session_log`       `SessionLog`: messages in, never an error or a wait out
`writer`            `LogWriter`: the thread that writes, and tries again while it cannot
`store`             `LogStore`: the statements by which entries are written, and the oldest deleted
`database`          `DatabaseFile`: the SQLite file, opened, checked and, if it is damaged, renamed
`schema`            the tables, and what becomes of those of earlier versions
`lock_file`         `LockFile`: what services that write the same file know of each other
`records`           `Session`, `Record`: what is read
`reader`            `LogReader`
`file_formats`      `to_json`, `to_csv`, `to_audacity`: records as files
==================  =====================================================================================
"""
