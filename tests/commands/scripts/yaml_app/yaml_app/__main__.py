import sys

from yaml_app.cli import main

sys.exit(main())
