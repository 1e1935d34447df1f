package import Core
import CFFmpeg
import Glibc

extension MediaAccess {
    /// The place that a URI names, if it may be used. Blocks (the file system and DNS are asked): call it on the thread
    /// that opens the place. In a confined file system the location has no symbolic link left in it.
    package func location(_ uri: String, for use: Use) throws(FileError) -> Location {
        let location = try Location(
            place(uri), schemes: use == .reading ? readableSchemes : writableSchemes)
        guard let path = location.path else {
            try checkHost(of: location.library, name: location.name)
            return location
        }
        guard let folders = use == .reading ? readableFolders : writableFolders else { return location }
        let resolved = try MediaAccess.resolve(path, mayBeMissing: use == .writing)
        let isInside = folders.contains { folder in
            guard let root = MediaAccess.realPath(folder) else { return false }
            return root == "/" || resolved.hasPrefix(root + "/")
        }
        guard isInside else {
            let word = use == .reading ? "read" : "written"
            throw .refused(url: location.name, reason: "files may be \(word) only below \(MediaAccess.list(folders))")
        }
        return Location(path: resolved)
    }

    /// Throws unless a URL's host may be reached.
    func checkHost(of url: String, name: String) throws(FileError) {
        guard hosts != nil || !allowsPrivateNetworks else { return }
        var host = [CChar](repeating: 0, count: 1024)
        av_url_split(nil, 0, nil, 0, &host, Int32(host.count), nil, nil, 0, url)
        let text = String(decoding: host.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        guard allows(host: text) else {
            throw .refused(url: name, reason: "the host “\(text)” is not one of those allowed")
        }
        guard !allowsPrivateNetworks else { return }
        let addresses = MediaAccess.addresses(of: text)
        guard !addresses.isEmpty else { throw .unreachable(url: name, reason: "the host “\(text)” is unknown") }
        if let wrong = addresses.first(where: { !allows(address: $0) }) {
            throw .refused(url: name, reason: "it leads to \(wrong), and private networks are not allowed")
        }
    }

    private static func list(_ folders: [String]) -> String {
        folders.isEmpty ? "folders of which none is configured" : folders.joined(separator: ", ")
    }

    /// The path without symbolic links and dots. Of one that does not exist yet, what exists is resolved, and the rest
    /// must not lead upwards.
    private static func resolve(_ path: String, mayBeMissing: Bool) throws(FileError) -> String {
        if let real = realPath(path) { return real }
        let number = errno
        guard mayBeMissing, number == ENOENT else { throw FileError(errno: number, path: path, call: "realpath") }
        var existing = path.hasPrefix("/") ? path[...] : ("./" + path)[...]
        var missing: [Substring] = []
        while true {
            while existing.count > 1, existing.hasSuffix("/") { existing = existing.dropLast() }
            var status = stat()
            let isThere = lstat(String(existing), &status) == 0
            if isThere, let real = realPath(String(existing)) {
                guard missing.allSatisfy({ $0 != ".." }) else {
                    throw .refused(url: path, reason: "“..” after a folder that does not exist")
                }
                let rest = missing.reversed().filter { $0 != "." && !$0.isEmpty }
                return (real == "/" ? "" : real) + "/" + rest.joined(separator: "/")
            }
            // A symbolic link that leads nowhere yet: following it could make a file anywhere.
            guard !isThere else { throw .refused(url: path, reason: "“\(existing)” is a symbolic link to nothing") }
            let name = existing.split(separator: "/").last ?? ""
            missing.append(name)
            existing = existing.dropLast(name.count)
            if existing.isEmpty { existing = "." }
        }
    }

    private static func realPath(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// All addresses of a host name, or the one it is.
    private static func addresses(of host: String) -> [IPAddress] {
        if let address = IPAddress(host) { return [address] }
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, nil, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var found: [IPAddress] = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ai_next
            guard let bytes = UnsafeRawPointer(entry.ai_addr) else { continue }
            // Offsets of the address in sockaddr_in and sockaddr_in6.
            let range = entry.ai_family == AF_INET ? 4..<8 : 8..<24
            guard entry.ai_family == AF_INET || entry.ai_family == AF_INET6, Int(entry.ai_addrlen) >= range.upperBound
            else { continue }
            let raw = UnsafeRawBufferPointer(start: bytes + range.lowerBound, count: range.count)
            if let address = IPAddress(raw), !found.contains(address) { found.append(address) }
        }
        return found
    }
}
