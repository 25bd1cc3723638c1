"""Fetch the console's JavaScript libraries anew: pinned versions by npm, one file each, with their licences.

    python workers/http/console/vendor/refresh.py

Their imports of each other are written as paths, so that a browser finds them without a build step. What it writes is
committed; nothing is fetched when the console runs.
"""

from __future__ import annotations

import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
#: Package and version, to the file within it, the name here, and how others import it.
PINNED = {
    "preact@10.27.2": {
        "dist/preact.module.js": ("preact.js", "preact"),
        "hooks/dist/hooks.module.js": ("hooks.js", "preact/hooks"),
    },
    "htm@3.1.1": {"dist/htm.module.js": ("htm.js", "htm")},
    "@preact/signals-core@1.12.1": {"dist/signals-core.module.js": ("signals-core.js", "@preact/signals-core")},
    "@preact/signals@2.3.2": {"dist/signals.module.js": ("signals.js", "@preact/signals")},
}
_IMPORT = re.compile(r'(\bfrom|\bimport)\s*(["\'])([^"\']+)\2')
_MAP = re.compile(r"//# sourceMappingURL=.*\s*$")


def main() -> None:
    """Fetch and write all."""
    names = {module: file for files in PINNED.values() for file, module in files.values()}
    for package, files in PINNED.items():
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603, S607
            (archive,) = Path(folder).glob("*.tgz")
            with tarfile.open(archive) as tar:
                for inside, (file, _) in files.items():
                    (HERE / file).write_text(_local(_read(tar, inside), names), encoding="utf-8")
                licence = HERE / f"LICENSE.{package.rpartition('@')[0].strip('@').replace('/', '-')}"
                licence.write_text(_read(tar, "LICENSE"), encoding="utf-8")


def _read(tar: tarfile.TarFile, inside: str) -> str:
    found = tar.extractfile(f"package/{inside}")
    assert found is not None, inside  # noqa: S101
    return found.read().decode()


def _local(text: str, names: dict[str, str]) -> str:
    """The module with its imports as paths beside it, and without the address of its map."""
    return _IMPORT.sub(lambda m: f'{m[1]}"./{names[m[3]]}"', _MAP.sub("", text)).rstrip() + "\n"


if __name__ == "__main__":
    main()
