"""Check that a wheel has every file of the package that git knows, and nothing else: wheel_files.py WHEEL."""

import subprocess
import sys
import zipfile


def main() -> None:
    names = zipfile.ZipFile(sys.argv[1]).namelist()
    packed = {name for name in names if ".dist-info/" not in name}
    listed = subprocess.run(["git", "ls-files", "interjax"], capture_output=True, text=True, check=True)
    wanted = set(listed.stdout.splitlines())
    if packed != wanted:
        raise SystemExit(f"missing in the wheel: {sorted(wanted - packed)}; too much: {sorted(packed - wanted)}")
    if "interjax/py.typed" not in packed:
        raise SystemExit("interjax/py.typed is missing: type checkers would not see the package's types")
    for wanted_file in ("entry_points.txt", "licenses/LICENSE"):
        if not any(name.endswith(f".dist-info/{wanted_file}") for name in names):
            raise SystemExit(f"the wheel has no {wanted_file}")
    rooms = sorted({name.split("/")[1] for name in packed if name.count("/") > 1})
    print(f"{len(packed)} files in {len(rooms)} rooms: {' '.join(rooms)}")


if __name__ == "__main__":
    main()
