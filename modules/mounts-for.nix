# The path of a RequiresMountsFor, quoted where systemd would read it otherwise: % begins a specifier
# there, and a space ends the path. A backslash is a character of the path.
path:
let
  quote = if builtins.match ".*\".*" path == null then "\"" else "'";
  plain = builtins.match "[A-Za-z0-9/._:@+,=-]+" path != null;
in
if plain then path else quote + builtins.replaceStrings [ "%" ] [ "%%" ] path + quote
