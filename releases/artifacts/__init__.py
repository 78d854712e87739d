"""Files of releases: chunks received, bundles assembled, contents kept on disk once each. No symbolication."""
