"""What a run looks like: figures, and a page that explains it."""

from nas.report.page import write_report as write_report
